// helios-fetch-http.so: libcurl's only home.
#include "core/fetch/module.h"

#include "helios/plugin_abi.h"
#include "plugins/fetch_http/transfer.h"

HELIOS_MODULE_NOTE("fetch");

namespace {

int fetch(const HeliosFetchRequest* request, const HeliosFetchSink* sink) noexcept {
  try {
    helios::fetch::Failure failure;
    if (helios::fetch::download(*request, *sink, failure)) return 0;
    sink->error(sink->context, failure.cause.c_str(), failure.remedy.c_str());
  } catch (...) {
    sink->error(sink->context, "no memory left", "");
  }
  return 1;
}

}  // namespace

const HeliosFetchModule helios_fetch_module_v1{sizeof(HeliosFetchModule), "http", HELIOS_VERSION, fetch};
