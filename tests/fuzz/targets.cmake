# All of them under one name, which tools/fuzz, the long run, builds alone. The short run is part of the asan preset.
if(HELIOS_FUZZ)
  add_custom_target(fuzz_targets DEPENDS fuzz_spec fuzz_command_line fuzz_policy fuzz_seccomp)
endif()
# The long run, in a tree of its own: a part of `cmake --workflow --preset long`, beside the fault injection in machines.
if(NOT HELIOS_FUZZ AND NOT HELIOS_SANITIZE)
  add_test(NAME fuzz.full COMMAND ${CMAKE_SOURCE_DIR}/tools/fuzz 600)
  set_tests_properties(fuzz.full PROPERTIES LABELS "fuzz;slow" TIMEOUT 3600)
endif()
