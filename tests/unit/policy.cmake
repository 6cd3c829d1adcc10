helios_test(policy_test ${CMAKE_SOURCE_DIR}/tests/unit/policy_test.cc ${CMAKE_SOURCE_DIR}/tests/unit/policy_shipped_test.cc
  LIBS helios_policy helios_spec nlohmann_json::nlohmann_json LABELS unit)
target_compile_definitions(policy_test PRIVATE VALIJSON_USE_EXCEPTIONS=1)
add_dependencies(policy_test helios_policies)
