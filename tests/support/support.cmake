# What the black-box suites share: helios-run seen only from outside.
include_guard(DIRECTORY)

add_library(helios_test_support STATIC
  ${CMAKE_CURRENT_LIST_DIR}/identity.cc ${CMAKE_CURRENT_LIST_DIR}/scene.cc ${CMAKE_CURRENT_LIST_DIR}/invocation.cc
  ${CMAKE_CURRENT_LIST_DIR}/host_snapshot.cc ${CMAKE_CURRENT_LIST_DIR}/cgroup_handover.cc)
helios_defaults(helios_test_support)
target_link_libraries(helios_test_support PUBLIC nlohmann_json::nlohmann_json GTest::gtest)
target_compile_definitions(helios_test_support PRIVATE
  HELIOS_RUN_DEFAULT="${CMAKE_BINARY_DIR}/bin/helios-run"
  HELIOS_PROBES_DEFAULT="${CMAKE_BINARY_DIR}/tests/probes")

# helios_black_box_test(NAME SOURCES… LABELS …): drives the built helios-run. HELIOS_RUN and HELIOS_PROBES in the
# environment win over the paths compiled in, so that the program also runs far away from its build tree.
function(helios_black_box_test target)
  cmake_parse_arguments(A "" "" "LABELS;ENVIRONMENT" ${ARGN})
  helios_test(${target} ${A_UNPARSED_ARGUMENTS} LIBS helios_test_support LABELS ${A_LABELS}
    ENVIRONMENT ${A_ENVIRONMENT})
  target_compile_definitions(${target} PRIVATE HELIOS_TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data")
  add_dependencies(${target} chunk_probe cost_probe escape_probe argv_probe)
  # What they drive: a build of one suite alone brings it along.
  foreach(driven helios-run helios-runner-shell helios-runner-isolated helios-runner-dry-run helios_policies)
    if(TARGET ${driven})
      add_dependencies(${target} ${driven})
    endif()
  endforeach()
endfunction()
