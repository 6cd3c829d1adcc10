# How a plugin is built, in this tree and by authors (find_package(helios) includes this file).
#
#   helios_add_runner(NAME SOURCES… [LIBS …])          helios-runner-NAME.so, target helios-runner-NAME
#   helios_add_module(FILE SYMBOL SOURCES… [LIBS …])   FILE.so, target FILE, exporting SYMBOL and nothing else
#
# Result: in ${HELIOS_PLUGIN_OUTPUT}, else in the current build folder; installed to ${HELIOS_PLUGIN_INSTALL_DIR}
# (lib/helios/plugins unless set; empty: not installed).
# Exactly one symbol is exported, the C++ runtime is linked in (the host has its own), and every symbol is resolved when
# the file is linked and again when it is loaded: nothing is left to be looked up between clone and exec.
include_guard(GLOBAL)

if(NOT DEFINED HELIOS_PLUGIN_INSTALL_DIR)
  set(HELIOS_PLUGIN_INSTALL_DIR lib/helios/plugins)
endif()

function(helios_add_module target symbol)
  cmake_parse_arguments(A "" "" "LIBS" ${ARGN})
  if(NOT A_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "helios_add_module(${target}): no source file given")
  endif()
  add_library(${target} MODULE ${A_UNPARSED_ARGUMENTS})
  if(COMMAND helios_defaults)
    helios_defaults(${target})
  endif()
  target_link_libraries(${target} PRIVATE helios::sdk ${A_LIBS})
  set(output ${HELIOS_PLUGIN_OUTPUT})
  if(NOT output)
    set(output ${CMAKE_CURRENT_BINARY_DIR})
  endif()
  set_target_properties(${target} PROPERTIES
    PREFIX "" SUFFIX ".so" LIBRARY_OUTPUT_DIRECTORY ${output}
    POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden C_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  # Hidden visibility alone leaves the templates of std and the linked-in runtime exported: 780 symbols.
  set(map ${CMAKE_CURRENT_BINARY_DIR}/${target}.map)
  file(CONFIGURE OUTPUT ${map} CONTENT "{ global: ${symbol}; local: *; };\n" @ONLY)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${map})
  target_link_options(${target} PRIVATE -Wl,--version-script=${map} -Wl,-z,now -Wl,-z,relro -Wl,-z,noexecstack
    -Wl,--as-needed -Wl,--gc-sections)
  # A sanitizer's runtime is shared with the program, and clang leaves its symbols to be found there.
  if(NOT HELIOS_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,-z,defs -static-libstdc++ -static-libgcc)
  endif()
  if(HELIOS_PLUGIN_INSTALL_DIR)
    install(TARGETS ${target} LIBRARY DESTINATION ${HELIOS_PLUGIN_INSTALL_DIR} COMPONENT runtime)
  endif()
endfunction()

function(helios_add_runner name)
  string(LENGTH "${name}" length)
  if(NOT name MATCHES "^[a-z0-9-]+$" OR length GREATER 32)
    message(FATAL_ERROR "helios_add_runner(${name}): a runner's name is 1 to 32 of [a-z0-9-]")
  endif()
  helios_add_module(helios-runner-${name} helios_runner_plugin_v1 ${ARGN})
endfunction()
