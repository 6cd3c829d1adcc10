# The cgroup tests on hosts that this one is not: pure v2, as root and as a user, with and without systemd, and mixed.
# vm-run boots a Debian kernel under emulation (its header says how, and what it fetches). HELIOS_CGROUP_ENTRY is the
# Entry that probing must find: 1 make_parent, 2 supervisor. 3, systemd_scope, is in contract.cmake.

# helios_vm_cgroup_test(NAME LABELS vm-run's options…)
function(helios_vm_cgroup_test name labels)
  add_test(NAME vm.cgroup.${name} COMMAND ${CMAKE_SOURCE_DIR}/tests/vm/vm-run --timeout 180
    --env HELIOS_CGROUP_PROBE=1 --add $<TARGET_FILE:cgroup_test>:/opt/cgroup_test ${ARGN} -- /opt/cgroup_test)
  # 3: a tool or package could not be had. Emulation is slow, and slower when it has to share processors.
  set_tests_properties(vm.cgroup.${name} PROPERTIES LABELS "${labels}" SKIP_RETURN_CODE 3 TIMEOUT 240 PROCESSORS 2
    FIXTURES_REQUIRED vm)
endfunction()

helios_vm_cgroup_test(v2-root "vm" --env HELIOS_CGROUP_EXPECT=v2 --env HELIOS_CGROUP_ENTRY=1)
helios_vm_cgroup_test(v2-user "vm" --user user --delegate --env HELIOS_CGROUP_EXPECT=v2 --env HELIOS_CGROUP_ENTRY=2)
helios_vm_cgroup_test(v2-root-6.12 "vm;slow" --kernel 6.12
  --env HELIOS_CGROUP_EXPECT=v2 --env HELIOS_CGROUP_ENTRY=1)
helios_vm_cgroup_test(v1-root "vm;slow" --cgroup v1 --env HELIOS_CGROUP_EXPECT=v1 --env HELIOS_CGROUP_ENTRY=0)
# Debian's 6.12 has no v1 memory controller: cpu and pids on v1, memory on v2.
helios_vm_cgroup_test(mixed-root "vm;slow" --kernel 6.12 --cgroup hybrid
  --env HELIOS_CGROUP_EXPECT=mixed --env HELIOS_CGROUP_ENTRY=1)
helios_vm_cgroup_test(systemd-root-delegated "vm;slow" --init systemd --delegate
  --env HELIOS_CGROUP_EXPECT=v2 --env HELIOS_CGROUP_ENTRY=2)
helios_vm_cgroup_test(systemd-user-delegated "vm;slow" --init systemd --user user --delegate
  --env HELIOS_CGROUP_EXPECT=v2 --env HELIOS_CGROUP_ENTRY=2)
