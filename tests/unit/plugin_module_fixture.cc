/// A shared object with a Helios note, but of another kind than a runner.
#include "helios/plugin_abi.h"

HELIOS_MODULE_NOTE("fixture-kind");
extern "C" {
extern HELIOS_EXPORT const int helios_fixture_module;
const int helios_fixture_module = 1;
}
