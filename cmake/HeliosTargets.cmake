# Functions that every target of the tree uses.

# Warnings, sanitizers and the project's include root.
function(helios_defaults target)
  target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
      -Wnon-virtual-dtor -Woverloaded-virtual -Wno-missing-field-initializers>)
  # g++ 12 sees overlaps in `"literal" + std::string` that are not there (gcc bug 105651).
  target_compile_options(${target} PRIVATE $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-restrict>)
  if(HELIOS_WERROR)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
  endif()
  if(HELIOS_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${HELIOS_SANITIZE} -fno-omit-frame-pointer
      -fno-sanitize-recover=all)
    target_link_options(${target} PRIVATE -fsanitize=${HELIOS_SANITIZE})
  endif()
endfunction()

# A static library of the core: helios_library(NAME SOURCES… [LIBS …])
function(helios_library target)
  cmake_parse_arguments(A "" "" "LIBS" ${ARGN})
  add_library(${target} STATIC ${A_UNPARSED_ARGUMENTS})
  helios_defaults(${target})
  target_link_libraries(${target} PUBLIC helios::sdk ${A_LIBS})
endfunction()

# Programs and plugins carry their own C++ runtime: it halves the start-up (docs/performance.md). A sanitizer's
# runtime needs the shared one.
function(helios_static_runtime target)
  if(NOT HELIOS_SANITIZE)
    target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc)
  endif()
  target_link_options(${target} PRIVATE -Wl,-z,now -Wl,--as-needed -Wl,--gc-sections)
endfunction()
