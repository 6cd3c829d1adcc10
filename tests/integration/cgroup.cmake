# Makes groups below parents of its own, /helios-test-PID, and removes them.
helios_test(cgroup_test ${CMAKE_CURRENT_LIST_DIR}/cgroup_test.cc LIBS helios_cgroup LABELS integration)
