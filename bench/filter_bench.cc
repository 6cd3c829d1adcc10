/// What the system call filter of a run costs, and the filter as raw instructions for other launchers.
///
///   filter_bench POLICY_DIR COUNT         prints the median microseconds per run of finding, reading and checking the
///                                         compiled filter, and of seccomp(2) taking it
///   filter_bench POLICY_DIR export FILE   writes FILE (as bwrap's --seccomp wants it) and FILE.notify (refusals go to
///                                         a listener, as a run of ours has it)
#include <linux/filter.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "core/policy/policy.h"
#include "plugins/isolated/bpf.h"
#include "plugins/isolated/seccomp_program.h"

namespace {

using Clock = std::chrono::steady_clock;
using helios::isolated::SeccompProgram;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "filter_bench: %s\n", what.c_str());
  std::exit(2);
}

double us_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

void write_raw(const std::vector<sock_filter>& program, const std::string& path) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(program.data()),
            static_cast<std::streamsize>(program.size() * sizeof(sock_filter)));
  if (!out.flush()) die("cannot write " + path);
}

/// In a child, as it cannot be undone; the time comes back through shared memory.
double load_once(const std::vector<sock_filter>& program) {
  auto* const took =
      static_cast<double*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  if (took == MAP_FAILED) die("memory");
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const sock_fprog p{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
    const auto begin = Clock::now();
    const long r = ::syscall(SYS_seccomp, 1 /* SECCOMP_SET_MODE_FILTER */, 0, &p);
    *took = r == 0 ? us_since(begin) : -1;
    ::_exit(0);
  }
  if (::waitpid(pid, nullptr, 0) != pid || *took <= 0) die("seccomp(2) refused the filter");
  const double us = *took;
  ::munmap(took, 4096);
  return us;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) die("usage: filter_bench POLICY_DIR COUNT | export FILE");
  const auto policy = helios::policy::load_policy("default", {argv[1]});
  if (!policy) die(policy.error().message);
  const auto filter = helios::isolated::filter_for(policy->profile, "");
  if (!filter) die(filter.error().message);
  if (std::string(argv[2]) == "export") {
    if (argc != 4) die("export FILE");
    write_raw(filter->instructions, argv[3]);
    write_raw(helios::isolated::with_user_notification(*filter).instructions, std::string(argv[3]) + ".notify");
    return 0;
  }
  std::vector<double> find, load;
  for (int i = 0; i < std::atoi(argv[2]); ++i) {
    const auto begin = Clock::now();
    const auto again = helios::isolated::filter_for(policy->profile, "");
    find.push_back(us_since(begin));
    if (!again) die(again.error().message);
    load.push_back(load_once(again->instructions));
  }
  std::printf("%.1f %.1f\n", median(find), median(load));
  return 0;
}
