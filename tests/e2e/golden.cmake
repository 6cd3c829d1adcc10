include(${CMAKE_CURRENT_LIST_DIR}/../support/support.cmake)
helios_black_box_test(golden_tests ${CMAKE_CURRENT_LIST_DIR}/golden_test.cc ${CMAKE_CURRENT_LIST_DIR}/golden_specs_test.cc
  LABELS e2e)
