helios_test(seccomp_test ${CMAKE_SOURCE_DIR}/tests/unit/seccomp_test.cc ${CMAKE_SOURCE_DIR}/tests/unit/seccomp_bpf_test.cc
  ${CMAKE_SOURCE_DIR}/tests/unit/seccomp_oracle_test.cc ${CMAKE_SOURCE_DIR}/tests/unit/seccomp_store_test.cc
  LIBS helios_seccomp helios_policy nlohmann_json::nlohmann_json LABELS unit)
# The shipped filters in a real kernel: each in a forked child.
helios_test(seccomp_load_test ${CMAKE_SOURCE_DIR}/tests/unit/seccomp_load_test.cc
  LIBS helios_seccomp helios_policy LABELS unit)
add_dependencies(seccomp_load_test helios_policies)
