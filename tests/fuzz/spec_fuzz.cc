/// Any bytes as a spec: no crash, one line of an error, the same answer from memory and from a stream in pieces, and
/// the library's verdict on the JSON itself wherever ours is good.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/spec/job_spec_reader.h"
#include "core/spec/json_scanner.h"
#include "core/spec/located_json.h"
#include "core/spec/utf8.h"

namespace {

void require(bool good) {
  if (!good) std::abort();
}

bool good_in_pieces(std::string_view text, std::size_t piece) {
  helios::spec::JsonScanner scanner([&](char* into, std::size_t size) {
    const std::size_t n = std::min({size, piece, text.size()});
    std::memcpy(into, text.data(), n);
    text.remove_prefix(n);
    return n;
  });
  return scanner.skip_value() && scanner.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto json = helios::spec::parse_located_json(text, "f");
  require(json.has_value() == good_in_pieces(text, 1 + size % 7));
  if (json) require(nlohmann::json::parse(text, nullptr, false) == json->root);
  const auto job = helios::spec::read_job_spec({text, "f"}, {{}, true});
  if (job) {
    require(json.has_value() && job->chunks.size() == job->chunk_count);
    return 0;
  }
  const std::string& message = job.error().message;
  require(!message.empty() && message.find('\n') == std::string::npos && helios::spec::is_utf8(message));
  require(message.size() < 2000);
  return 0;
}
