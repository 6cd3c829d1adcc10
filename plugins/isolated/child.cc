#include "plugins/isolated/child.h"

#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>

#include "core/freestanding/oom_score.h"
#include "core/freestanding/syscalls.h"

namespace helios::isolated {
namespace {

using raw::call;

/// What building the sandbox takes, in our own new user namespace only. Ambient, because the program is executed as an
/// id that is not mapped and so is not its root.
constexpr unsigned kNeeded[] = {CAP_SYS_ADMIN, CAP_SETUID,       CAP_SETGID,      CAP_SETPCAP,
                                CAP_NET_ADMIN, CAP_DAC_OVERRIDE, CAP_SYS_RESOURCE};

long raise_ambient() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  for (const unsigned c : kNeeded) {
    data[c / 32].permitted |= 1U << (c % 32);
  }
  for (auto& d : data) d.effective = d.inheritable = d.permitted;
  long r = call(__NR_capset, &header, data);
  for (const unsigned c : kNeeded) {
    if (r >= 0) r = call(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0);
  }
  return r;
}

}  // namespace

void child_main(void* plan) {
  auto& p = *static_cast<ChildPlan*>(plan);
  long r = raise_ambient();
  if (r >= 0) r = raw::spare_no_more();  // here: helios-init is not dumpable
  for (unsigned i = 0; r >= 0 && i < p.count; ++i) r = call(__NR_dup3, p.from[i], i, 0);
  char name[] = "helios-init";
  char* const argv[] = {name, nullptr};
  char* const envp[] = {nullptr};
  if (r >= 0) r = call(__NR_execveat, p.init_fd, "", argv, envp, AT_EMPTY_PATH);
  p.error = static_cast<int>(-r);
  for (;;) call(__NR_exit_group, 125);
}

}  // namespace helios::isolated
