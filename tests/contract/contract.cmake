# One suite over every runner that starts something. Runs on its own elsewhere too: see tests/support/identity.h.
include(${CMAKE_CURRENT_LIST_DIR}/../support/support.cmake)

helios_black_box_test(contract_tests
  ${CMAKE_CURRENT_LIST_DIR}/contract_suite.cc ${CMAKE_CURRENT_LIST_DIR}/ending_test.cc
  ${CMAKE_CURRENT_LIST_DIR}/streams_test.cc ${CMAKE_CURRENT_LIST_DIR}/surroundings_test.cc
  ${CMAKE_CURRENT_LIST_DIR}/limits_test.cc ${CMAKE_CURRENT_LIST_DIR}/accounting_test.cc ${CMAKE_CURRENT_LIST_DIR}/cost_test.cc
  ${CMAKE_CURRENT_LIST_DIR}/output_file_test.cc ${CMAKE_CURRENT_LIST_DIR}/disk_test.cc ${CMAKE_CURRENT_LIST_DIR}/leftovers_test.cc
  ${CMAKE_CURRENT_LIST_DIR}/refusal_test.cc
  LABELS contract)
