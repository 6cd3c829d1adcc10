helios_test(fetch_url_test ${CMAKE_CURRENT_LIST_DIR}/fetch_url_test.cc ${CMAKE_CURRENT_LIST_DIR}/fetch_address_test.cc
  LIBS helios_fetch_url LABELS unit)
