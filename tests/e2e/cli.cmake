include(${CMAKE_CURRENT_LIST_DIR}/../support/support.cmake)
helios_black_box_test(cli_tests ${CMAKE_CURRENT_LIST_DIR}/cli_test.cc LABELS e2e)
target_link_libraries(cli_tests PRIVATE helios_run_app)  # the option table, for docs/cli.md
