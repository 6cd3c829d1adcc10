include(${CMAKE_CURRENT_LIST_DIR}/../support/support.cmake)
helios_black_box_test(isolated_tests ${CMAKE_CURRENT_LIST_DIR}/isolated_test.cc LABELS e2e)
