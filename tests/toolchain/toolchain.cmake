# Whole trees of other presets as tests of this one: each configures, builds and tests what its workflow preset says.
#   -DHELIOS_TOOLCHAIN_TESTS=asan         what tools/test adds
#   cmake --workflow --preset long        everything labelled slow, with the presets clang, tidy, coverage and tsan
# They build with all processors, so nothing else runs meanwhile; ccache makes the second time quick.
set(HELIOS_TOOLCHAIN_TESTS "" CACHE STRING "workflow presets to run as tests, e.g. asan;tsan")
cmake_host_system_information(RESULT processors QUERY NUMBER_OF_LOGICAL_CORES)
foreach(preset ${HELIOS_TOOLCHAIN_TESTS})
  add_test(NAME toolchain.${preset} COMMAND ${CMAKE_COMMAND} --workflow --preset ${preset}
    WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set(labels toolchain)
  if(preset MATCHES "clang|tidy|coverage|tsan")
    list(APPEND labels slow)
  endif()
  set_tests_properties(toolchain.${preset} PROPERTIES LABELS "${labels}" RUN_SERIAL TRUE TIMEOUT 1200
    ENVIRONMENT CTEST_PARALLEL_LEVEL=${processors})
endforeach()
