helios_test(executor_test
  unit/executor_test.cc unit/executor_request_test.cc unit/executor_places_test.cc unit/executor_ending_test.cc
  unit/executor_named_folder_test.cc unit/bottleneck_test.cc
  LIBS helios_executor LABELS unit)
helios_test(capture_test unit/capture_test.cc LIBS helios_executor LABELS unit)
helios_test(options_test unit/options_test.cc unit/options_text_test.cc LIBS helios_run_app helios_log LABELS unit)
