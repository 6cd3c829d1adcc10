helios_test(fetch_test ${CMAKE_CURRENT_LIST_DIR}/fetch_test.cc LIBS helios_fetch helios_sys LABELS integration)
add_dependencies(fetch_test helios-fetch-http)
