#include "core/spec/job_spec_reader.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <iterator>
#include <optional>
#include <utility>

#include "core/digest/sha256.h"
#include "core/edit_distance.h"
#include "core/spec/chunk_ids.h"
#include "core/spec/command_line.h"
#include "core/spec/json_scanner.h"
#include "core/spec/quantity.h"

namespace helios::spec {
namespace {

constexpr std::string_view kPlainInteger = "a plain whole number from 0 to 9007199254740991";

/// The digest of the text, computed as it comes; given up once it is known not to be needed.
class TextDigest {
 public:
  explicit TextDigest(std::string_view expected) : expected_(expected) {}

  [[nodiscard]] std::string_view expected() const { return expected_; }
  [[nodiscard]] bool wanted() const { return wanted_; }
  void job_has_id() { wanted_ = !expected_.empty(); }
  void update(std::string_view bytes) {
    if (wanted_) sha_.update(bytes);
  }
  [[nodiscard]] std::string hex() { return wanted_ ? sha_.hex() : std::string(); }

 private:
  std::string_view expected_;
  bool wanted_{true};
  digest::Sha256 sha_;
};

class JobReader {
 public:
  JobReader(JsonScanner& in, TextDigest& digest, const ChunkFilter& filter)
      : in_(in), digest_(digest), wanted_(filter.ids), all_(filter.all) {
    std::sort(wanted_.begin(), wanted_.end());
  }

  /// False: see the scanner's problem.
  bool read() {
    bool has_chunks = false;
    std::string_view name;
    if (!in_.enter_object("a job (an object)")) return false;
    while (in_.next_member(name)) {
      has_chunks = has_chunks || name == "chunks";
      if (!read_job_member(name)) return false;
    }
    if (!in_.ok()) return false;
    if (!has_chunks) return in_.reject("a member \"chunks\"", "the end of the object");
    return in_.finish();
  }

  [[nodiscard]] const ChunkIds& ids() const { return ids_; }
  [[nodiscard]] std::optional<std::uint64_t> missing() const {
    for (const std::uint64_t id : wanted_) {
      if (!ids_.contains(id)) return id;
    }
    return std::nullopt;
  }
  [[nodiscard]] bool has_id() const { return has_id_; }
  [[nodiscard]] JobSpec take() { return std::move(job_); }

 private:
  bool read_job_member(std::string_view name) {
    if (name == "chunks") return read_chunks();
    if (name == "id") return digest_.job_has_id(), has_id_ = read_text(job_.id, "a string that is not empty");
    if (name == "assetsUrl") return read_text(job_.assets_url.emplace());
    if (name == "metadata") return read_metadata();
    if (name == "mergeCommand") return read_text(job_.merge_command);
    return read_override(name, job_.overrides);
  }

  bool read_metadata() {
    std::string_view name;
    if (!in_.enter_object()) return false;
    while (in_.next_member(name)) {
      std::optional<double>* const field = metadata_field(name);
      if (!(field != nullptr ? read_amount(*field) : in_.skip_value())) return false;
    }
    return in_.ok();
  }

  std::optional<double>* metadata_field(std::string_view name) {
    if (name == "totalFrames") return &job_.metadata.total_frames;
    if (name == "fps") return &job_.metadata.fps;
    if (name == "width") return &job_.metadata.width;
    if (name == "height") return &job_.metadata.height;
    if (name == "duration") return &job_.metadata.duration;
    return nullptr;
  }

  bool read_amount(std::optional<double>& out) {
    constexpr std::string_view kExpected = "a number that is not negative";
    std::string_view number;
    if (!in_.read_number(number, kExpected)) return false;
    if (number.front() == '-') return in_.reject(kExpected);
    double value = 0;  // what is too small for a double is 0
    std::from_chars(number.data(), number.data() + number.size(), value);
    out = value;
    return true;
  }

  bool read_chunks() {
    if (!in_.enter_array("an array of chunks")) return false;
    while (in_.next_element()) {
      if (ids_.size() == kMaxChunks) return in_.reject("at most " + std::to_string(kMaxChunks) + " chunks", "one more");
      if (!read_chunk()) return false;
      if (all_ || std::binary_search(wanted_.begin(), wanted_.end(), chunk_.id)) job_.chunks.push_back(chunk_);
    }
    job_.chunk_count = ids_.size();
    return in_.ok();
  }

  enum Required : unsigned { kId = 1, kStart = 2, kCount = 4, kOutput = 8, kCommand = 16, kAllRequired = 31 };

  bool read_chunk() {
    if (has_overrides_) chunk_.overrides = {};
    has_overrides_ = false;
    unsigned seen = 0;
    std::string_view name;
    if (!in_.enter_object("a chunk (an object)")) return false;
    while (in_.next_member(name)) {
      if (!read_chunk_member(name, seen)) return false;
    }
    if (!in_.ok()) return false;
    return seen == kAllRequired || reject_missing(seen);
  }

  bool read_chunk_member(std::string_view name, unsigned& seen) {
    if (name == "id") return seen |= kId, read_id();
    if (name == "startFrame") return seen |= kStart, read_integer(chunk_.start_frame);
    if (name == "frameCount") return seen |= kCount, read_integer(chunk_.frame_count);
    if (name == "outputFile") return seen |= kOutput, read_text(chunk_.output_file, "a path that is not empty");
    if (name == "command") return seen |= kCommand, read_command();
    return read_override(name, chunk_.overrides);
  }

  bool reject_missing(unsigned seen) {
    constexpr std::array<std::string_view, 5> kNames{"id", "startFrame", "frameCount", "outputFile", "command"};
    std::size_t first = 0;
    while (((seen >> first) & 1) != 0) ++first;
    return in_.reject("a member \"" + std::string(kNames[first]) + '"', "the end of the object");
  }

  bool read_id() {
    if (!read_integer(chunk_.id)) return false;
    return ids_.insert(chunk_.id) || in_.reject("an id no other chunk has", std::to_string(chunk_.id) + " again");
  }

  bool read_integer(std::uint64_t& out) {
    std::string_view number;
    if (!in_.read_number(number, kPlainInteger)) return false;
    const auto value = plain_integer(number);
    if (!value) return in_.reject(kPlainInteger);
    out = *value;
    return true;
  }

  bool read_command() {
    constexpr std::string_view kExpected = "a command that is not blank";
    if (!read_text(chunk_.command, kExpected)) return false;
    return !is_blank(chunk_.command) || in_.reject(kExpected);
  }

  /// A string that can be given to the kernel: no NUL. `not_empty` says what is expected of one that may not be empty.
  bool read_text(std::string& out, std::string_view not_empty = {}) {
    if (!in_.read_string(out)) return false;
    if (out.empty() && !not_empty.empty()) return in_.reject(not_empty);
    return out.find('\0') == std::string::npos || in_.reject("a string without NUL characters");
  }

  /// The members that a job and a chunk have in common; anything else is checked as JSON and ignored.
  bool read_override(std::string_view name, SpecOverrides& out) {
    const bool known = name == "resources" || name == "env" || name == "shell";
    if (!known) return in_.skip_value();
    has_overrides_ = true;
    if (name == "resources") return read_resources(out.resources);
    if (name == "env") return read_env(out.env);
    return in_.read_boolean(out.shell.emplace());
  }

  bool read_resources(Limits& out) {
    std::string_view name;
    if (!in_.enter_object()) return false;
    while (in_.next_member(name)) {
      const auto row = std::find_if(kLimits.begin(), kLimits.end(), [&](const LimitInfo& l) { return l.key == name; });
      if (row == kLimits.end()) return reject_limit(std::string(name));
      if (!read_limit(row->limit, out[row->limit])) return false;
    }
    return in_.ok();
  }

  /// `resources` is ours, and a limit that was misspelt would not hold: here nothing is ignored.
  bool reject_limit(const std::string& name) {
    std::vector<std::string> keys;
    keys.reserve(std::size(kLimits));
    for (const LimitInfo& l : kLimits) keys.emplace_back(l.key);
    static_cast<void>(in_.peek());  // messages point at the value
    return in_.reject(such_as("limit", name, keys), "the unknown " + quote_for_message(name));
  }

  bool read_limit(Limit limit, std::optional<std::uint64_t>& out) {
    std::string_view number;
    switch (in_.peek()) {
      case JsonKind::string:
        if (!in_.read_string(text_)) return false;
        out = limit_from_json_string(limit, text_);
        break;
      case JsonKind::number:
        if (!in_.read_number(number)) return false;
        out = limit_from_json_number(limit, number);
        break;
      default:
        out.reset();
    }
    return out || in_.reject(allowed_values(limit));
  }

  bool read_env(std::vector<EnvVar>& out) {
    std::size_t bytes = 0;
    std::string_view name;
    if (!in_.enter_object()) return false;
    while (in_.next_member(name)) {
      if (!is_variable_name(name)) return in_.reject("a variable's name (letters, digits, _)", quote_for_message(name));
      EnvVar variable{std::string(name), {}};
      if (!read_text(variable.value)) return false;
      bytes += variable.name.size() + variable.value.size();
      if (bytes > kMaxEnvBytes)
        return in_.reject("variables of at most " + std::to_string(kMaxEnvBytes) + " bytes", "more");
      out.push_back(std::move(variable));
    }
    return in_.ok();
  }

  static bool is_variable_name(std::string_view name) {
    const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; };
    return !name.empty() && letter(name[0]) &&
           std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
  }

  JsonScanner& in_;
  TextDigest& digest_;
  std::vector<std::uint64_t> wanted_;
  bool all_;
  ChunkIds ids_;
  JobSpec job_;
  Chunk chunk_;  ///< reused for every chunk, so that its strings keep their memory
  bool has_overrides_{false};
  bool has_id_{false};
  std::string text_;
};

/// `unhashed` is what the digest has not seen yet.
Result<JobSpec> read(JsonScanner& in, TextDigest& digest, std::string_view unhashed, std::string_view origin,
                     const ChunkFilter& filter) {
  JobReader reader(in, digest, filter);
  if (!reader.read()) return fail(to_error(in.problem().value_or(JsonProblem{}), origin, ErrorCode::invalid_spec));
  digest.update(unhashed);
  const std::string sha256 = digest.hex();
  const std::string name = escape_for_message(origin, 500);
  if (!digest.expected().empty() && sha256 != digest.expected()) {
    return fail(ErrorCode::invalid_spec,
                name + ": expected sha256 " + escape_for_message(digest.expected(), 64) + ", found " + sha256);
  }
  if (const auto id = reader.missing()) {
    const std::string ids = reader.ids().size() == 0 ? "it has none" : "its ids are " + reader.ids().ranges(10);
    return fail(ErrorCode::not_found, name + ": there is no chunk " + std::to_string(*id) + ": " + ids);
  }
  JobSpec job = reader.take();
  if (!reader.has_id()) job.id = "job-" + sha256.substr(0, 16);
  return job;
}

/// Reads a descriptor, hashes what it read, and stops at the bound or the first error.
class DescriptorReader {
 public:
  DescriptorReader(int fd, TextDigest& digest) : fd_(fd), digest_(digest) {}

  std::size_t read(char* into, std::size_t size) {
    ssize_t n = ::read(fd_, into, size);
    while (n < 0 && (errno == EINTR || errno == EAGAIN)) {
      if (errno == EAGAIN) wait_for_bytes();
      n = ::read(fd_, into, size);
    }
    if (n < 0) sys_errno_ = errno;
    if (n <= 0) return 0;
    total_ += static_cast<std::uint64_t>(n);
    if (total_ > kMaxSpecBytes) return 0;
    digest_.update({into, static_cast<std::size_t>(n)});
    return static_cast<std::size_t>(n);
  }

  /// What ended the reading, if it was not the end of the file.
  [[nodiscard]] Status status(std::string_view origin) const {
    const std::string doing = "read the spec " + quote_for_message(origin);
    if (sys_errno_ != 0) return fail_errno(ErrorCode::io, doing, sys_errno_);
    if (total_ == 0) return fail(ErrorCode::invalid_spec, doing + ": it is empty");
    if (total_ <= kMaxSpecBytes) return {};
    return fail(ErrorCode::invalid_spec, doing + ": it has more than " + std::to_string(kMaxSpecBytes) + " bytes");
  }

 private:
  /// Standard input may be non-blocking: that is a property of the pipe, and whoever holds its other end may have set
  /// it.
  void wait_for_bytes() const {
    pollfd waiting{fd_, POLLIN, 0};
    ::poll(&waiting, 1, -1);
  }

  int fd_;
  TextDigest& digest_;
  std::uint64_t total_{0};
  int sys_errno_{0};
};

}  // namespace

Result<JobSpec> read_job_spec(const SpecBytes& spec, const ChunkFilter& filter, std::string_view expected_sha256) {
  const std::string doing = "read the spec " + quote_for_message(spec.origin);
  if (spec.text.empty()) return fail(ErrorCode::invalid_spec, doing + ": it is empty");
  if (spec.text.size() > kMaxSpecBytes) {
    return fail(ErrorCode::invalid_spec, doing + ": it has more than " + std::to_string(kMaxSpecBytes) + " bytes");
  }
  JsonScanner scanner(spec.text);
  TextDigest digest(expected_sha256);
  return read(scanner, digest, spec.text, spec.origin, filter);
}

Result<JobSpec> read_job_spec(const SpecFile& spec, const ChunkFilter& filter, std::string_view expected_sha256) {
  TextDigest digest(expected_sha256);
  DescriptorReader bytes(spec.fd.get(), digest);
  JsonScanner scanner([&](char* into, std::size_t size) { return bytes.read(into, size); });
  auto job = read(scanner, digest, {}, spec.origin, filter);
  if (auto status = bytes.status(spec.origin); !status) return fail(std::move(status).error());
  return job;
}

}  // namespace helios::spec
