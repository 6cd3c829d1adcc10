# libFuzzer targets of core/spec (clang, -DHELIOS_FUZZ=ON). As tests they run the seed corpus and 20,000 inputs more;
# for a long run: fuzz_spec -max_total_time=600 tests/fuzz/corpus/spec
if(HELIOS_FUZZ)
  target_compile_options(helios_spec PRIVATE -fsanitize=fuzzer-no-link)  # so that the fuzzer sees which code it reaches
  foreach(subject spec command_line)
    add_executable(fuzz_${subject} ${CMAKE_CURRENT_LIST_DIR}/${subject}_fuzz.cc)
    helios_defaults(fuzz_${subject})
    target_compile_options(fuzz_${subject} PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_${subject} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(fuzz_${subject} PRIVATE helios_spec)
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/corpus/${subject})
    add_test(NAME fuzz_${subject} COMMAND fuzz_${subject} -runs=20000 -seed=1 -max_len=4096
      ${CMAKE_BINARY_DIR}/corpus/${subject} ${CMAKE_CURRENT_LIST_DIR}/corpus/${subject})
    set_tests_properties(fuzz_${subject} PROPERTIES LABELS fuzz TIMEOUT 300)
  endforeach()
endif()
