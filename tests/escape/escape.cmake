# Each class of attack is tried inside `isolated`, and once where it succeeds: a probe that cannot succeed proves nothing.
include(${CMAKE_CURRENT_LIST_DIR}/../support/support.cmake)

helios_black_box_test(escape_tests
  ${CMAKE_CURRENT_LIST_DIR}/bait.cc ${CMAKE_CURRENT_LIST_DIR}/attack_classes.cc ${CMAKE_CURRENT_LIST_DIR}/attack_test.cc
  ${CMAKE_CURRENT_LIST_DIR}/links_test.cc ${CMAKE_CURRENT_LIST_DIR}/planted_test.cc ${CMAKE_CURRENT_LIST_DIR}/neighbour_test.cc
  ${CMAKE_CURRENT_LIST_DIR}/crash_handler_test.cc ${CMAKE_CURRENT_LIST_DIR}/inherited_limits_test.cc
  ${CMAKE_CURRENT_LIST_DIR}/nested_test.cc
  LABELS escape)
target_link_libraries(escape_tests PRIVATE helios_sys)
