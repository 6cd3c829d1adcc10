# The package is one of plain presets: a sanitizer's plugin needs a sanitizer's host.
if(NOT HELIOS_SANITIZE)
  helios_test(plugin_package_test ${CMAKE_CURRENT_LIST_DIR}/plugin_package_test.cc LIBS helios_plugin LABELS integration)
  add_dependencies(plugin_package_test helios-runner-dry-run helios-run)
endif()
