#include "plugins/shell/guardian.h"

#include <fcntl.h>
#include <signal.h>

#include <cerrno>

#include "core/supervise/program_search.h"
#include "core/sys/file.h"
#include "core/sys/memfd.h"
#include "plugins/shell/child.h"

extern "C" const char helios_helios_guardian_start[], helios_helios_guardian_end[];

namespace helios::shell {
namespace {

/// Sealed once, executed many times.
const Result<sys::UniqueFd>& program() {
  static const Result<sys::UniqueFd> fd =
      sys::sealed_memfd("helios-guardian",
                        {helios_helios_guardian_start,
                         static_cast<std::size_t>(helios_helios_guardian_end - helios_helios_guardian_start)},
                        true);
  return fd;
}

}  // namespace

Result<Guardian> Guardian::start(const std::vector<std::string>& group_dirs) {
  const auto& image = program();
  if (!image) return fail(image.error());
  auto pipe = sys::make_pipe();
  if (!pipe) return fail(pipe.error().while_doing("guardian"));
  // Above the numbers that the child rearranges.
  const sys::UniqueFd read_end(::fcntl(pipe->read.get(), F_DUPFD_CLOEXEC, 10));
  const sys::UniqueFd exec_fd(::fcntl(image->get(), F_DUPFD_CLOEXEC, 10));
  if (!read_end || !exec_fd) return fail_errno(ErrorCode::setup_failed, "guardian: duplicate a descriptor", errno);

  std::vector<std::string> args{"helios-guardian"};
  args.insert(args.end(), group_dirs.begin(), group_dirs.end());
  const std::vector<char*> argv = supervise::c_pointers(args);
  GuardianPlan plan{read_end.get(), exec_fd.get(), argv.data(), 0};
  auto child = sys::clone_vfork({}, guardian_main, &plan);
  if (!child) return fail(child.error().while_doing("start the guardian"));
  Guardian g;
  g.child_ = std::move(*child);
  g.pipe_ = std::move(pipe->write);
  if (plan.error != 0) return fail_errno(ErrorCode::setup_failed, "execute the guardian", plan.error);
  return g;
}

void Guardian::dismiss() { sys::kill_child(child_); }

Guardian::~Guardian() {
  if (!child_.pidfd) return;
  dismiss();
  (void)sys::reap(child_);
}

}  // namespace helios::shell
