helios_test(supervise_test unit/timeline_test.cc unit/idle_test.cc unit/disk_watch_test.cc unit/verdict_test.cc LIBS helios_supervise LABELS unit)
