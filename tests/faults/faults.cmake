# Every system call between start and the command's exec fails once: fault_test.cc. The sample is every fifth call
# (others with HELIOS_FAULTS_SHIFT=1 to 4); everything is `tools/test-faults`, or HELIOS_FAULTS_EVERY=1.
include(${CMAKE_CURRENT_LIST_DIR}/../support/support.cmake)

add_executable(fault_injector ${CMAKE_CURRENT_LIST_DIR}/fault_injector.cc)
helios_defaults(fault_injector)
add_executable(isolation_probe ${CMAKE_CURRENT_LIST_DIR}/isolation_probe.c)
target_compile_options(isolation_probe PRIVATE -std=gnu11 -O1 -Wall -Wextra $<$<BOOL:${HELIOS_WERROR}>:-Werror>)
target_link_options(isolation_probe PRIVATE -static)
set_target_properties(isolation_probe PROPERTIES POSITION_INDEPENDENT_CODE OFF C_EXTENSIONS ON)
set_target_properties(fault_injector isolation_probe PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/probes)

# Sanitizers keep processes and calls of their own: there is nothing to learn from failing those.
if(NOT HELIOS_SANITIZE)
  helios_black_box_test(fault_tests ${CMAKE_CURRENT_LIST_DIR}/fault_test.cc LABELS faults)
  add_dependencies(fault_tests fault_injector isolation_probe)
  if(HELIOS_FAULTS_FULL)
    add_test(NAME faults.full COMMAND fault_tests)
    set_tests_properties(faults.full PROPERTIES LABELS "faults;slow" ENVIRONMENT HELIOS_FAULTS_EVERY=1 TIMEOUT 5400
      RUN_SERIAL TRUE)
  endif()
endif()
