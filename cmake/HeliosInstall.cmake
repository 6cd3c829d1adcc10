# The installed package: component `sdk` is headers and find_package(helios); component `runtime` is
# bin/ (its programs install themselves), lib/helios/plugins/ (each helios_add_runner installs its own), share/helios/policies/.
include(CMakePackageConfigHelpers)
set(HELIOS_CMAKE_INSTALL_DIR lib/cmake/helios)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/helios DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT sdk
  FILES_MATCHING PATTERN *.h)
set_target_properties(helios_sdk PROPERTIES EXPORT_NAME sdk)
install(TARGETS helios_sdk EXPORT helios-targets)
install(EXPORT helios-targets NAMESPACE helios:: DESTINATION ${HELIOS_CMAKE_INSTALL_DIR} COMPONENT sdk)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/helios-config.cmake.in
  ${PROJECT_BINARY_DIR}/helios-config.cmake INSTALL_DESTINATION ${HELIOS_CMAKE_INSTALL_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/helios-config-version.cmake
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMajorVersion ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/helios-config.cmake ${PROJECT_BINARY_DIR}/helios-config-version.cmake
  ${PROJECT_SOURCE_DIR}/cmake/HeliosRunner.cmake DESTINATION ${HELIOS_CMAKE_INSTALL_DIR} COMPONENT sdk)

# The plain files of policies/ (compiled filters are installed by policies/CMakeLists.txt, which makes them).
install(DIRECTORY ${PROJECT_SOURCE_DIR}/policies/ DESTINATION share/helios/policies COMPONENT runtime
  FILES_MATCHING PATTERN *.json)
