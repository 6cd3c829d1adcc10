# The contract and escape suites on pure cgroup v2 and Debian's kernel: as root, as a user with a delegated group, and as a
# user without one, who gets the clear refusal. One boot each. The programs bring their own helios-run; vm-run's header
# says what is booted. TMPDIR: 6.1 cannot id-map a tmpfs, which /tmp is there.

# helios_vm_suite(NAME LABELS IDENTITY FILTER vm-run's options…): FILTER picks tests of all suites (--gtest_filter)
function(helios_vm_suite name labels identity filter)
  add_test(NAME vm.${name} COMMAND ${CMAKE_SOURCE_DIR}/tests/vm/vm-run --rootfs debian --timeout 1500
    --add ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/vm-suites:/opt/vm-suites
    --add $<TARGET_FILE:contract_tests>:/opt/contract_tests --add $<TARGET_FILE:escape_tests>:/opt/escape_tests
    --add ${CMAKE_BINARY_DIR}/tests/probes:/opt/probes
    --add ${CMAKE_BINARY_DIR}/bin/helios-run:/opt/helios/bin/helios-run
    --add ${HELIOS_PLUGIN_OUTPUT}:/opt/helios/plugins --add ${HELIOS_POLICY_OUTPUT}:/opt/helios/policies
    --env HELIOS_RUN=/opt/helios/bin/helios-run --env HELIOS_PROBES=/opt/probes --env HELIOS_TEST_SLOWNESS=10
    --env TMPDIR=/var/tmp --env HELIOS_TEST_OWNS_HOST=1 --env HELIOS_CONTRACT_IDENTITY=${identity} ${ARGN}
    -- /opt/vm-suites "${filter}")
  # 3: a tool or package could not be had. Emulation is slow, and slower when it has to share processors.
  set_tests_properties(vm.${name} PROPERTIES LABELS "${labels}" SKIP_RETURN_CODE 3 TIMEOUT 1800 PROCESSORS 2)
endfunction()

helios_vm_suite(v2-root "vm" root "*")
helios_vm_suite(v2-delegated "vm" delegated "*" --user user --delegate)
helios_vm_suite(v2-user "vm" user "*" --user user)
