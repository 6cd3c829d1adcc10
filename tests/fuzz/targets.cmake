# All of them under one name: the fuzz preset builds nothing else. `cmake --workflow --preset fuzz` is the short run that CI
# has (tests/toolchain), tools/fuzz the long one.
if(HELIOS_FUZZ)
  add_custom_target(fuzz_targets DEPENDS fuzz_spec fuzz_command_line fuzz_policy fuzz_seccomp)
endif()
