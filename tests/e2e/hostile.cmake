include(${CMAKE_CURRENT_LIST_DIR}/../support/support.cmake)
helios_black_box_test(hostile_tests ${CMAKE_CURRENT_LIST_DIR}/hostile_test.cc ${CMAKE_CURRENT_LIST_DIR}/kill_test.cc
  LABELS e2e)
# The full sets; what runs without `slow` is a sample.
add_test(NAME hostile.full COMMAND hostile_tests)
set_tests_properties(hostile.full PROPERTIES LABELS "e2e;slow" TIMEOUT 1800 RUN_SERIAL TRUE
  ENVIRONMENT "HELIOS_HOSTILE_RUNS=200;HELIOS_KILL_RUNS=200")
