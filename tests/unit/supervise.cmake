helios_test(timeline_test unit/timeline_test.cc LIBS helios_supervise LABELS unit)
