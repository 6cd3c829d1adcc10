include(${CMAKE_CURRENT_LIST_DIR}/../support/support.cmake)
helios_black_box_test(doctor_tests ${CMAKE_CURRENT_LIST_DIR}/doctor_test.cc LABELS e2e)
add_dependencies(doctor_tests helios-selftest)
