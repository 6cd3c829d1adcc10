# The contract suite on pure cgroup v2, as root and as a user with a delegated group; as a user without one the clear
# refusal. The program brings its own helios-run; see vm-run's header for what is booted.

# helios_vm_contract_test(NAME LABELS IDENTITY vm-run's options…)
function(helios_vm_contract_test name labels identity)
  add_test(NAME vm.contract.${name} COMMAND ${CMAKE_SOURCE_DIR}/tests/vm/vm-run --rootfs debian --timeout 1500
    --add $<TARGET_FILE:contract_tests>:/opt/contract_tests
    --add $<TARGET_FILE:chunk_probe>:/opt/probes/chunk_probe
    --add ${CMAKE_BINARY_DIR}/bin/helios-run:/opt/helios/bin/helios-run
    --add ${HELIOS_PLUGIN_OUTPUT}:/opt/helios/plugins --add ${HELIOS_POLICY_OUTPUT}:/opt/helios/policies
    --env HELIOS_RUN=/opt/helios/bin/helios-run --env HELIOS_PROBES=/opt/probes --env HELIOS_TEST_SLOWNESS=10
    --env HELIOS_CONTRACT_IDENTITY=${identity} ${ARGN} -- /opt/contract_tests --gtest_brief=1)
  set_tests_properties(vm.contract.${name} PROPERTIES LABELS "${labels}" SKIP_RETURN_CODE 3 TIMEOUT 1800 PROCESSORS 2)
endfunction()

helios_vm_contract_test(v2-root "vm" root)
helios_vm_contract_test(v2-delegated "vm" delegated --user user --delegate)
helios_vm_contract_test(v2-user "vm" user --user user)
