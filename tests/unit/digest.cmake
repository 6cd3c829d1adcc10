helios_test(digest_test unit/digest_test.cc LIBS helios_digest LABELS unit)
