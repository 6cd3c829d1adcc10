/// One process that has the runner loaded, and runs chunk after chunk with it, as a worker does.
///
///   in_process latency COUNT [MIB]   prints the median microseconds of one run, prepared and with its result; MIB: so
///                                    much memory is touched first
///   in_process rate SECONDS WIDTH    prints chunks per second, WIDTH at a time
///   in_process loop SECONDS WIDTH FILTER COMMAND [ARG…]   the same of a program started in a loop (bwrap, say), which
///                                    finds FILTER at descriptor 9; "": no file
///   in_process parts COUNT           prints the median microseconds of each part of a run
///
/// Runs /bin/true under the default policy; plugins and policies are those beside the program (../plugins,
/// ../policies).
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/executor/executor.h"
#include "core/plugin/runner_catalog.h"
#include "core/policy/policy.h"
#include "core/spec/worker_result_json.h"

extern char** environ;

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "in_process: %s\n", what.c_str());
  std::exit(2);
}

template <class T>
T value_of(helios::Result<T> r) {
  if (!r) die(r.error().message);
  return *std::move(r);
}

double us_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v.empty() ? 0 : v[v.size() / 2];
}

std::string beside(const char* folder) {
  char path[PATH_MAX];
  const ssize_t n = ::readlink("/proc/self/exe", path, sizeof path);
  if (n <= 0) die("where am I?");
  const std::string file(path, static_cast<std::size_t>(n));
  return file.substr(0, file.rfind('/')) + "/../" + folder;
}

/// What a worker has at hand between two chunks.
struct Worker {
  helios::policy::Policy policy = value_of(helios::policy::load_policy("default", {beside("policies")}));
  helios::plugin::RunnerCatalog catalog{{beside("plugins")}};
  helios::plugin::LoadedRunner* loaded = value_of(catalog.open("isolated"));
  helios::Surroundings around{current_folder(), {}, "/run/helios", "/var/cache/helios"};

  static std::string current_folder() {
    char path[PATH_MAX];
    return ::getcwd(path, sizeof path) != nullptr ? path : "/";
  }
  helios::Executor executor() { return helios::Executor({&loaded->runner(), loaded->name, loaded->version}, {}); }
};

helios::Job true_job() {
  helios::Job job;
  job.argv = {"/bin/true"};
  return job;
}

void run_one(Worker& w, helios::Executor& executor) {
  const helios::Job job = true_job();
  const auto request = value_of(executor.prepare(job, w.policy, {}, w.around));
  const auto result = value_of(executor.run(job, {}, request));
  if (result.exit_code != 0) die(helios::spec::to_json(result));
  if (helios::spec::to_json(result).empty()) die("no result");
}

void touch(std::size_t mebibytes) {
  const std::size_t bytes = mebibytes << 20;
  if (bytes == 0) return;
  void* const p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) die("memory");
  for (std::size_t i = 0; i < bytes; i += 4096) static_cast<volatile char*>(p)[i] = 1;
}

void latency(int count, std::size_t mebibytes) {
  touch(mebibytes);
  Worker w;
  helios::Executor executor = w.executor();
  run_one(w, executor);
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    const auto begin = Clock::now();
    run_one(w, executor);
    times.push_back(us_since(begin));
  }
  std::printf("%.1f\n", median(times));
}

/// Calls `once` from `width` threads for `seconds`; prints how often a second it came back.
template <class Make>
void rate(double seconds, int width, Make make) {
  std::atomic<long> done{0};
  const auto begin = Clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < width; ++i) {
    threads.emplace_back([&, once = make()]() mutable {
      while (us_since(begin) < seconds * 1e6) {
        once();
        ++done;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  std::printf("%.1f\n", static_cast<double>(done) / us_since(begin) * 1e6);
}

/// Standard output goes nowhere; `filter`, if any, is opened anew at 9 for each, since whoever reads it moves its
/// offset.
void spawn_one(const char* filter, char** argv) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  if (*filter != '\0') ::posix_spawn_file_actions_addopen(&actions, 9, filter, O_RDONLY, 0);
  pid_t pid = -1;
  int status = 0;
  if (::posix_spawnp(&pid, argv[0], &actions, nullptr, argv, environ) != 0) die(std::string("start ") + argv[0]);
  if (::waitpid(pid, &status, 0) < 0 || status != 0) die(std::string(argv[0]) + " failed");
  ::posix_spawn_file_actions_destroy(&actions);
}

void parts(int count) {
  Worker w;
  helios::Executor executor = w.executor();
  std::vector<double> load, prepare, plan, run, write;
  for (int i = 0; i < count; ++i) {
    const helios::Job job = true_job();
    auto begin = Clock::now();
    const auto policy = value_of(helios::policy::load_policy("default", {beside("policies")}));
    load.push_back(us_since(begin));
    begin = Clock::now();
    const auto request = value_of(executor.prepare(job, policy, {}, w.around));
    prepare.push_back(us_since(begin));
    begin = Clock::now();
    const auto planned = value_of(executor.plan(request));
    plan.push_back(us_since(begin));
    begin = Clock::now();
    const auto result = value_of(executor.run(job, {}, request));
    run.push_back(us_since(begin));
    begin = Clock::now();
    const auto text = helios::spec::to_json(result);
    write.push_back(us_since(begin));
    if (planned.items.empty() || text.empty()) die("empty");
  }
  std::printf("load the policy %.1f, prepare %.1f, plan alone %.1f, plan and run %.1f, write the result %.1f\n",
              median(load), median(prepare), median(plan), median(run), median(write));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "latency" && argc >= 3) {
    latency(std::atoi(argv[2]), argc > 3 ? static_cast<std::size_t>(std::atoi(argv[3])) : 0);
  } else if (what == "parts" && argc == 3) {
    parts(std::atoi(argv[2]));
  } else if (what == "rate" && argc == 4) {
    Worker w;
    rate(std::atof(argv[2]), std::atoi(argv[3]),
         [&w] { return [&w, executor = w.executor()]() mutable { run_one(w, executor); }; });
  } else if (what == "loop" && argc >= 6) {
    rate(std::atof(argv[2]), std::atoi(argv[3]), [argv] { return [argv] { spawn_one(argv[4], argv + 5); }; });
  } else {
    die("usage: in_process latency COUNT [MIB] | rate SECONDS WIDTH | loop SECONDS WIDTH FILTER COMMAND… | parts "
        "COUNT");
  }
  return 0;
}
