# helios_static_program(NAME SOURCE…): a program without any C library, and NAME_image, an object that holds its bytes
# between helios_NAME_start and helios_NAME_end ('-' becomes '_'), for a plugin to execute from a sealed memfd.
function(helios_static_program name)
  add_executable(${name} ${ARGN})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  set_target_properties(${name} PROPERTIES
    POSITION_INDEPENDENT_CODE OFF RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}
    CXX_CLANG_TIDY "")  # it takes what a system call in assembly has written for uninitialized
  # Plain whatever the preset says: no sanitizer and no coverage counter can live without a C library.
  target_compile_options(${name} PRIVATE -O2 -g0 -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables
    -fno-exceptions -fno-rtti -fno-pic -fcf-protection=none -fno-sanitize=all -fno-profile-arcs -fno-test-coverage
    -U_FORTIFY_SOURCE -Wall -Wextra -Wno-unused-command-line-argument)
  target_link_options(${name} PRIVATE -nostdlib -static -no-pie -fno-sanitize=all -Wl,--build-id=none
    -Wl,-z,noseparate-code -Wl,-z,norelro -Wl,-z,noexecstack -Wl,-s)
  string(REPLACE "-" "_" symbol ${name})
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${name}_image.S)
  file(CONFIGURE OUTPUT ${source} CONTENT [[
.section .rodata
.balign 4096
.globl helios_@symbol@_start, helios_@symbol@_end
.hidden helios_@symbol@_start
.hidden helios_@symbol@_end
helios_@symbol@_start:
.incbin "@CMAKE_CURRENT_BINARY_DIR@/@name@"
helios_@symbol@_end:
.section .note.GNU-stack,"",@progbits
]])
  # CONFIGURE takes @progbits for a variable only when it ends in '@'; it stays as it is.
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${CMAKE_CURRENT_BINARY_DIR}/${name})
  add_library(${name}_image OBJECT ${source})
  add_dependencies(${name}_image ${name})
endfunction()
