/// A shared object without a note.
extern "C" __attribute__((visibility("default"))) int helios_plain_symbol() { return 1; }
