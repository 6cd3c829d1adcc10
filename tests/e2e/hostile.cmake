include(${CMAKE_CURRENT_LIST_DIR}/../support/support.cmake)
# HELIOS_HOSTILE_RUNS=200 and HELIOS_KILL_RUNS=200 are the full sets.
helios_black_box_test(hostile_tests ${CMAKE_CURRENT_LIST_DIR}/hostile_test.cc ${CMAKE_CURRENT_LIST_DIR}/kill_test.cc
  LABELS e2e)
