# Tiny programs that get sandboxed: C, static, never sanitized, so that they run in any root file system.
# helios_probe(NAME [SOURCE]): NAME.c of this folder, if no other.
function(helios_probe target)
  set(source ${ARGN})
  if(NOT source)
    set(source ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/${target}.c)
  endif()
  add_executable(${target} ${source})
  target_compile_options(${target} PRIVATE -std=gnu11 -O1 -Wall -Wextra $<$<BOOL:${HELIOS_WERROR}>:-Werror>)
  target_link_options(${target} PRIVATE -static)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/probes
    POSITION_INDEPENDENT_CODE OFF C_EXTENSIONS ON)
endfunction()

helios_probe(chunk_probe)
helios_probe(escape_probe ${CMAKE_SOURCE_DIR}/apps/helios-selftest/escape_probe.c)
helios_probe(argv_probe)
helios_probe(cost_probe)
