include(${CMAKE_CURRENT_LIST_DIR}/../support/support.cmake)
# A policy learned from a run runs it again, and nothing else.
helios_black_box_test(learn_tests ${CMAKE_CURRENT_LIST_DIR}/learn_test.cc LABELS integration)
# explain, suggest and policy from outside: transcripts and bad input.
helios_black_box_test(policy_tools_tests ${CMAKE_CURRENT_LIST_DIR}/policy_tools_test.cc LABELS e2e)
if(TARGET helios_policies)
  add_dependencies(learn_tests helios_policies helios-runner-isolated)
  add_dependencies(policy_tools_tests helios_policies helios-runner-isolated helios-runner-shell)
endif()
helios_test(draft_test ${CMAKE_CURRENT_LIST_DIR}/draft_test.cc ${CMAKE_CURRENT_LIST_DIR}/explanation_test.cc
  LIBS helios_run_app helios_seccomp helios_policy helios_spec LABELS unit)
