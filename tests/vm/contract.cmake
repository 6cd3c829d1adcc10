# The black-box suites on pure cgroup v2 and Debian's kernel: as root, as a user with a delegated group, and as a user
# without one, who gets the clear refusal; and under systemd, as root and as a user, without delegation. One boot each.
# The programs bring their own helios-run; vm-run's header says what is booted. TMPDIR: 6.1 cannot id-map a tmpfs, which
# /tmp is there.

# What the boots share is fetched and built once, by the first of these tests (a minute or two).
add_test(NAME vm.prepare COMMAND ${CMAKE_SOURCE_DIR}/tests/vm/vm-run --rootfs debian --prepare)
# 3: a tool or package could not be had.
set_tests_properties(vm.prepare PROPERTIES LABELS vm SKIP_RETURN_CODE 3 TIMEOUT 600 FIXTURES_SETUP vm)

# helios_vm_suite(NAME PROGRAMS … SECONDS n IDENTITY … [SLOW] [FILTER …] [OPTIONS vm-run's …]): FILTER picks tests of
# all programs (--gtest_filter). SECONDS: when the machine is given up, some three times what it takes.
function(helios_vm_suite name)
  cmake_parse_arguments(A "SLOW" "SECONDS;IDENTITY;FILTER" "PROGRAMS;OPTIONS" ${ARGN})
  set(programs)
  foreach(program ${A_PROGRAMS})
    list(APPEND programs --add $<TARGET_FILE:${program}>:/opt/${program})
  endforeach()
  if(NOT A_FILTER)
    set(A_FILTER "*")
  endif()
  add_test(NAME vm.${name} COMMAND ${CMAKE_SOURCE_DIR}/tests/vm/vm-run --rootfs debian --timeout ${A_SECONDS}
    --add ${CMAKE_SOURCE_DIR}/tests/vm/vm-suites:/opt/vm-suites ${programs}
    --add ${CMAKE_BINARY_DIR}/tests/probes:/opt/probes
    --add ${CMAKE_BINARY_DIR}/bin/helios-run:/opt/helios/bin/helios-run
    --add ${HELIOS_PLUGIN_OUTPUT}:/opt/helios/plugins --add ${HELIOS_POLICY_OUTPUT}:/opt/helios/policies
    --env HELIOS_RUN=/opt/helios/bin/helios-run --env HELIOS_PROBES=/opt/probes --env HELIOS_TEST_SLOWNESS=10
    --env TMPDIR=/var/tmp --env HELIOS_TEST_OWNS_HOST=1 --env HELIOS_CONTRACT_IDENTITY=${A_IDENTITY} ${A_OPTIONS}
    -- /opt/vm-suites "${A_FILTER}")
  set(labels vm)
  if(A_SLOW)
    list(APPEND labels slow)
  endif()
  math(EXPR timeout "${A_SECONDS} + 60")
  # Emulation is slow, and slower when it has to share processors.
  set_tests_properties(vm.${name} PROPERTIES LABELS "${labels}" SKIP_RETURN_CODE 3 TIMEOUT ${timeout} PROCESSORS 2
    FIXTURES_REQUIRED vm)
endfunction()

helios_vm_suite(v2-root PROGRAMS contract_tests escape_tests SECONDS 1200 IDENTITY root)
# What waits for a processor does so for minutes in an emulated machine: once is enough.
helios_vm_suite(v2-delegated PROGRAMS contract_tests SECONDS 900 IDENTITY delegated
  FILTER "*-*ThatWaitsForAProcessor*" OPTIONS --user user --delegate)
# A user's attacks on v2 differ from those here, on v1, in the control groups alone.
helios_vm_suite(v2-delegated-escape SLOW PROGRAMS escape_tests SECONDS 1200 IDENTITY delegated
  OPTIONS --user user --delegate)
helios_vm_suite(v2-user PROGRAMS contract_tests SECONDS 150 IDENTITY user OPTIONS --user user)

# Some controllers on v1, the others on v2: what a run joins late and what it is born in, in one run.
helios_vm_suite(mixed-root SLOW PROGRAMS contract_tests SECONDS 1200 IDENTITY root
  FILTER "*-*ThatWaitsForAProcessor*" OPTIONS --kernel 6.12 --cgroup hybrid)

# No test of this host: ctest does not list it.
add_executable(systemd_tests ${CMAKE_CURRENT_LIST_DIR}/systemd_test.cc)
helios_defaults(systemd_tests)
target_link_libraries(systemd_tests PRIVATE helios_test_support GTest::gmock_main)
set_target_properties(systemd_tests PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
set_property(GLOBAL APPEND PROPERTY HELIOS_TEST_PROGRAMS systemd_tests)
# Entry 3 is systemd_scope: see cgroup.cmake.
set(asks_systemd --init systemd --env HELIOS_CGROUP_PROBE=1 --env HELIOS_CGROUP_EXPECT=v2 --env HELIOS_CGROUP_ENTRY=3)
helios_vm_suite(systemd-root PROGRAMS cgroup_test systemd_tests SECONDS 240 IDENTITY root OPTIONS ${asks_systemd})
helios_vm_suite(systemd-user PROGRAMS cgroup_test systemd_tests SECONDS 240 IDENTITY user
  OPTIONS ${asks_systemd} --user user --env HELIOS_CONTRACT_EXPECT_GROUPS=1)

if(TARGET fault_tests)
  helios_vm_suite(faults-root PROGRAMS fault_tests SECONDS 300 IDENTITY root OPTIONS --env HELIOS_FAULTS_EVERY=20)
  helios_vm_suite(faults-root-full SLOW PROGRAMS fault_tests SECONDS 5400 IDENTITY root
    OPTIONS --env HELIOS_FAULTS_EVERY=1)
  helios_vm_suite(faults-delegated-full SLOW PROGRAMS fault_tests SECONDS 5400 IDENTITY delegated
    OPTIONS --user user --delegate --env HELIOS_FAULTS_EVERY=1)
  # What they look for is no matter of time: they can do with one processor beside fuzz.full.
  set_tests_properties(vm.faults-root-full vm.faults-delegated-full PROPERTIES PROCESSORS 1)
endif()
