helios_test(cgroup_unit_test
  ${CMAKE_CURRENT_LIST_DIR}/cgroup_hierarchy_test.cc ${CMAKE_CURRENT_LIST_DIR}/cgroup_file_test.cc
  ${CMAKE_CURRENT_LIST_DIR}/cgroup_owner_test.cc ${CMAKE_CURRENT_LIST_DIR}/cgroup_scope_call_test.cc
  LIBS helios_cgroup LABELS unit)
