# Which programs there are is known when all parts have been read: tests/CMakeLists.txt tells them.
include(${CMAKE_CURRENT_LIST_DIR}/../support/support.cmake)
helios_black_box_test(threat_model_tests ${CMAKE_CURRENT_LIST_DIR}/threat_model_test.cc LABELS e2e)
