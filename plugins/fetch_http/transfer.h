/// One HTTP(S) download, within the bounds of a HeliosFetchRequest.
#pragma once

#include <string>

#include "core/fetch/module.h"

namespace helios::fetch {

/// Why a download failed, each one line: "HTTP status 404", and what can be done about it (or "").
struct Failure {
  std::string cause;
  std::string remedy;
};

/// True: all of the content went to `sink.bytes`. False: `failure` says why. [any thread]
[[nodiscard]] bool download(const HeliosFetchRequest& request, const HeliosFetchSink& sink, Failure& failure);

}  // namespace helios::fetch
