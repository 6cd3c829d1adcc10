find_package(valijson REQUIRED)
helios_test(spec_test
  unit/chunk_ids_test.cc unit/job_spec_reader_test.cc unit/json_scanner_test.cc unit/located_json_test.cc
  unit/quantity_test.cc unit/schema_test.cc unit/spec_file_test.cc unit/split_command_test.cc unit/utf8_test.cc unit/worker_result_json_test.cc
  LIBS helios_spec valijson LABELS unit)
