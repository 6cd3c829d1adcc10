# All of them under one name: the fuzz preset builds nothing else. `cmake --workflow --preset fuzz` is the short run that CI
# has (tests/toolchain), tools/fuzz the long one.
if(HELIOS_FUZZ)
  add_custom_target(fuzz_targets DEPENDS fuzz_spec fuzz_command_line fuzz_policy fuzz_seccomp)
endif()
# The long run, in a tree of its own: a part of `cmake --workflow --preset long`.
if(NOT HELIOS_FUZZ AND NOT HELIOS_SANITIZE)
  add_test(NAME fuzz.full COMMAND ${CMAKE_SOURCE_DIR}/tools/fuzz 600)
  set_tests_properties(fuzz.full PROPERTIES LABELS "fuzz;slow" TIMEOUT 3600 RUN_SERIAL TRUE)
endif()
