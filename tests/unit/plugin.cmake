# Plugins that only tests load. They lie in a folder of their own and are not installed.
set(helios_plugin_output_before ${HELIOS_PLUGIN_OUTPUT})
set(helios_plugin_install_before ${HELIOS_PLUGIN_INSTALL_DIR})
set(HELIOS_PLUGIN_OUTPUT ${CMAKE_BINARY_DIR}/tests/plugins)
set(HELIOS_PLUGIN_INSTALL_DIR "")
helios_add_runner(fixture ${CMAKE_CURRENT_LIST_DIR}/plugin_fixture.cc)
helios_add_module(helios-module helios_fixture_module ${CMAKE_CURRENT_LIST_DIR}/plugin_module_fixture.cc)
helios_add_module(helios-plain helios_plain_symbol ${CMAKE_CURRENT_LIST_DIR}/plugin_plain_fixture.cc)
set(HELIOS_PLUGIN_OUTPUT ${helios_plugin_output_before})
set(HELIOS_PLUGIN_INSTALL_DIR ${helios_plugin_install_before})

foreach(subject boundary catalog)
  helios_test(plugin_${subject}_test ${CMAKE_CURRENT_LIST_DIR}/plugin_${subject}_test.cc
    LIBS helios_plugin helios_digest LABELS unit
    ENVIRONMENT ASAN_OPTIONS=detect_leaks=0)  # an initialiser that was stopped leaks what its frames held, by design
  target_compile_definitions(plugin_${subject}_test PRIVATE HELIOS_TEST_PLUGINS="${CMAKE_BINARY_DIR}/tests/plugins")
  add_dependencies(plugin_${subject}_test helios-runner-fixture helios-module helios-plain helios-runner-dry-run)
endforeach()
