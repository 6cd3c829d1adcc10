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

constexpr std::size_t kMarkerRoom = 64;  // the line that says how much is missing

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// `head` without a character whose end was dropped.
std::string_view trim_cut_end(std::string_view head) {
  return head.substr(0, head.size() - spec::unfinished_utf8_suffix(head));
}

// How many of the first bytes (at most `most`) are the rest of a character whose beginning was dropped.
std::size_t cut_start(std::string_view tail, std::size_t most) {
  std::size_t skip = 0;
  while (skip < most && skip < tail.size() && is_continuation(tail[skip])) ++skip;
  return skip;
}

// Room for `more` bytes, of `limit` in all. What is much soon becomes all: taken at once, it is not copied from one
// place to a bigger one again and again, and what is not written to costs no memory.
void grow(std::string& kept, std::size_t more, std::size_t limit) {
  constexpr std::size_t kSmall = std::size_t{64} << 10, kAtOnce = std::size_t{16} << 20;
  const std::size_t wanted = kept.size() + more;
  if (wanted <= kept.capacity() || wanted <= kSmall) return;
  kept.reserve(std::min(limit, std::max({wanted, 2 * kept.capacity(), kAtOnce})));
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
  grow(head_, to_head, head_limit_ + tail_limit_ + kMarkerRoom);  // finish() puts the rest behind it
  head_.append(bytes.substr(0, to_head));
  keep_tail(bytes.substr(to_head));
}

std::span<char> OutputCollector::room() noexcept {
  if (tail_limit_ == 0 || ring_.size() < tail_limit_) return {};
  return {ring_.data() + ring_next_, tail_limit_ - ring_next_};
}

void OutputCollector::keep_tail(std::string_view bytes) {
  if (tail_limit_ == 0 || bytes.empty()) return;
  if (const std::span<char> here = room(); bytes.data() == here.data() && bytes.size() <= here.size()) {
    ring_next_ = (ring_next_ + bytes.size()) % tail_limit_;
    return;
  }
  if (bytes.size() >= tail_limit_) {
    ring_.assign(bytes.substr(bytes.size() - tail_limit_));
    ring_next_ = 0;
    return;
  }
  const std::size_t growing = std::min(bytes.size(), tail_limit_ - ring_.size());
  if (growing > 0) {
    grow(ring_, growing, tail_limit_);
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

CapturedStream OutputCollector::finish() {
  CapturedStream s;
  s.bytes = total_;
  s.truncated = total_ > head_.size() + ring_.size();
  // In pieces, straight to where they stay: a kept stream may have megabytes, and fresh memory costs more than bytes.
  std::string_view last_kept(ring_), after_wrap = last_kept.substr(0, ring_next_);
  last_kept.remove_prefix(ring_next_);
  std::string_view first_kept(head_);
  std::uint64_t dropped = 0;
  if (s.truncated) {
    first_kept = trim_cut_end(first_kept);
    std::size_t skip = cut_start(last_kept, 3);
    last_kept.remove_prefix(skip);
    if (last_kept.empty()) after_wrap.remove_prefix(cut_start(after_wrap, 3 - skip));
    dropped = total_ - first_kept.size() - last_kept.size() - after_wrap.size();
  }
  spec::Utf8Sanitizer text;
  if (spec::is_utf8(first_kept)) {  // nearly always; the rest has room behind it
    head_.resize(first_kept.size());
    s.text = std::move(head_);
  } else {
    s.text.reserve(first_kept.size() + last_kept.size() + after_wrap.size() + kMarkerRoom);
    text.append(first_kept, s.text);
  }
  if (s.truncated) {
    text.finish(s.text);
    s.text += "\n[helios-run: " + std::to_string(dropped) + " bytes not kept]\n";
  }
  text.append(last_kept, s.text);
  text.append(after_wrap, s.text);
  text.finish(s.text);
  std::string().swap(head_);
  std::string().swap(ring_);
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
