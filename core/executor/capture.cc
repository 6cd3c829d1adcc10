#include "core/executor/capture.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/executor/named_folder.h"
#include "core/spec/utf8.h"
#include "core/sys/file.h"

namespace helios {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// `head` without a character whose end was dropped.
std::string_view trim_cut_end(std::string_view head) {
  return head.substr(0, head.size() - spec::unfinished_utf8_suffix(head));
}

// `tail` without the rest of a character whose beginning was dropped.
std::string_view trim_cut_start(std::string_view tail) {
  std::size_t skip = 0;
  while (skip < 3 && skip < tail.size() && is_continuation(tail[skip])) ++skip;
  return tail.substr(skip);
}

}  // namespace

OutputCollector::OutputCollector(std::size_t limit, sys::UniqueFd exact_copy)
    : head_limit_(limit / 2), tail_limit_(limit - limit / 2), exact_copy_(std::move(exact_copy)) {}

void OutputCollector::append(std::string_view bytes) noexcept {
  total_ += bytes.size();
  if (exact_copy_.valid() && !copy_problem_) {
    if (auto written = sys::write_all(exact_copy_.get(), bytes); !written) copy_problem_ = written.error();
  }
  const std::size_t to_head = std::min(bytes.size(), head_limit_ - head_.size());
  head_.append(bytes.substr(0, to_head));
  keep_tail(bytes.substr(to_head));
}

void OutputCollector::keep_tail(std::string_view bytes) {
  if (tail_limit_ == 0 || bytes.empty()) return;
  if (bytes.size() >= tail_limit_) {
    ring_.assign(bytes.substr(bytes.size() - tail_limit_));
    ring_next_ = 0;
    return;
  }
  const std::size_t growing = std::min(bytes.size(), tail_limit_ - ring_.size());
  if (growing > 0) {
    if (ring_.size() + growing > ring_.capacity()) {
      ring_.reserve(std::min(tail_limit_, std::max(ring_.size() + growing, 2 * ring_.capacity())));
    }
    ring_.append(bytes.substr(0, growing));
    bytes.remove_prefix(growing);
  }
  while (!bytes.empty()) {
    const std::size_t n = std::min(bytes.size(), tail_limit_ - ring_next_);
    bytes.copy(ring_.data() + ring_next_, n);
    ring_next_ = ring_next_ + n == tail_limit_ ? 0 : ring_next_ + n;
    bytes.remove_prefix(n);
  }
}

std::string OutputCollector::tail() const { return ring_.substr(ring_next_).append(ring_, 0, ring_next_); }

CapturedStream OutputCollector::finish() const {
  CapturedStream s;
  s.bytes = total_;
  s.truncated = total_ > head_.size() + ring_.size();
  if (!s.truncated) {
    s.text = spec::sanitize_utf8(head_ + tail());
    return s;
  }
  const std::string last = tail();
  const std::string_view first_kept = trim_cut_end(head_);
  const std::string_view last_kept = trim_cut_start(last);
  const std::uint64_t dropped = total_ - first_kept.size() - last_kept.size();
  s.text = spec::sanitize_utf8(first_kept);
  s.text += "\n[helios-run: " + std::to_string(dropped) + " bytes not kept]\n";
  s.text += spec::sanitize_utf8(last_kept);
  return s;
}

Result<sys::UniqueFd> open_stream_log(const std::string& dir, const std::string& name,
                                      const std::vector<std::string>& writable) {
  const std::string what = "open log file " + dir + "/" + name;
  auto folder = open_named_folder(dir, writable, FolderMissing::is_made);
  if (!folder) return fail(folder.error().while_doing(what));
  // O_NONBLOCK: a FIFO in its place must not make us wait for a reader.
  auto file = sys::open_at(folder->get(), name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_APPEND, 0600);
  if (!file) return fail(file.error().while_doing(what));
  struct stat st {};
  if (::fstat(file->get(), &st) != 0) return fail_errno(ErrorCode::io, what, errno);
  if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != ::geteuid()) {
    return fail(ErrorCode::io, what + ": exists and is not a plain file of yours",
                "remove it or choose another --log-dir");
  }
  if (::ftruncate(file->get(), 0) != 0) return fail_errno(ErrorCode::io, what, errno);
  return file;
}

}  // namespace helios
