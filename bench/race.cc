/// Races whole processes: every contender is started in turn (A B C A B C …), so that whatever else the machine does
/// falls on all alike. Before each shot it sleeps a little, so that what the kernel still clears away of the last one
/// (a network namespace takes it milliseconds) is not the next one's cost, and then waits, for a few milliseconds at
/// most, until the machine is calm.
///
///   race PLAN.json [-n ROUNDS] [--warmup N] [--settle-ms N] [--calm-ms N] [--max-seconds S] [--json FILE]
///
/// PLAN.json: {"contenders": [{"name": "bwrap", "argv": ["bwrap", …], "cwd": "/", "env": ["A=1"], "fds": {"9": "FILE"},
///             "without": "/sys/fs/cgroup/unified", "exit": 0, "value": true}], "against": "bwrap"}
///   fds      files the contender finds open, for reading, at these numbers; "stdin" and "stdout" name files for 0 and
///            1 (default /dev/null), stderr is kept and shown if the contender fails
///   without  a mount that the contender must not see (crun refuses a host whose cgroup2 root owns a controller)
///   rss-mib  the process that starts it has touched that much memory
///   value    the program prints a number (nanoseconds, milliseconds, …), which is what is compared
///   "{}" in argv becomes the number of the shot.
///
/// Prints median, 95th percentile, the median CPU time and peak memory of each, and the ratio to `against`: the median
/// of the ratios of the two shots of one round. Those ratios hold from run to run; microseconds do not.
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

extern char** environ;

namespace {

using nlohmann::json;

[[noreturn]] void die(const std::string& what) {
  std::cerr << "race: " << what << "\n";
  std::exit(2);
}

double now_us() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

double us(const timeval& t) { return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec); }

struct Shot {
  double wall_us{0}, cpu_us{0}, rss_mib{0};
};

struct Contender {
  std::string name;
  std::vector<std::string> argv, env;
  std::map<int, std::string> files;  ///< what lies at which descriptor
  std::string without, cwd;
  int expected_exit{0};
  std::size_t rss_mib{0};
  bool value{false};
  std::vector<Shot> shots;
};

Contender parse(const json& j) {
  Contender c;
  c.name = j.at("name");
  c.argv = j.at("argv").get<std::vector<std::string>>();
  c.env = j.value("env", std::vector<std::string>{});
  c.files = {{0, j.value("stdin", "/dev/null")}, {1, j.value("stdout", "/dev/null")}};
  const json fds = j.value("fds", json::object());
  for (const auto& [number, path] : fds.items()) c.files[std::stoi(number)] = path;
  c.without = j.value("without", "");
  c.cwd = j.value("cwd", "");
  c.expected_exit = j.value("exit", 0);
  c.rss_mib = j.value("rss-mib", std::size_t{0});
  c.value = j.value("value", false);
  return c;
}

/// A process that spawns on demand, from a mount namespace and with a memory size of its own. One byte in: one shot.
/// The timing is its own, so that the pipes to it do not count.
class Starter {
 public:
  explicit Starter(const Contender& c) : contender_(c) {
    int in[2], out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) die("pipe");
    const pid_t pid = ::fork();
    if (pid < 0) die("fork");
    if (pid == 0) {
      // Ours alone: an end of another starter's pipe held here would keep that one from ever seeing it closed.
      for (int fd = 3; fd < 1024; ++fd) {
        if (fd != in[0] && fd != out[1]) ::close(fd);
      }
      serve(in[0], out[1]);
    }
    ::close(in[0]);
    ::close(out[1]);
    to_ = in[1];
    from_ = out[0];
    pid_ = pid;
  }
  Starter(const Starter&) = delete;
  Starter& operator=(const Starter&) = delete;
  ~Starter() {
    ::close(to_);
    ::waitpid(pid_, nullptr, 0);
    ::close(from_);
  }

  Shot shoot(unsigned number) {
    Shot s;
    if (::write(to_, &number, sizeof number) != sizeof number) die(contender_.name + ": its starter is gone");
    if (::read(from_, &s, sizeof s) != sizeof s) die(contender_.name + " failed");
    return s;
  }

 private:
  [[noreturn]] void serve(int in, int out) {
    if (!contender_.without.empty()) {
      if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
        die("a mount namespace for " + contender_.name + ": " + std::strerror(errno));
      }
      (void)::umount2(contender_.without.c_str(), MNT_DETACH);
    }
    if (contender_.rss_mib != 0) {
      const std::size_t bytes = contender_.rss_mib << 20;
      void* const p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (p == MAP_FAILED) die("memory");
      for (std::size_t i = 0; i < bytes; i += 4096) static_cast<volatile char*>(p)[i] = 1;
    }
    if (!contender_.cwd.empty() && ::chdir(contender_.cwd.c_str()) != 0) die("enter " + contender_.cwd);
    std::vector<char*> env;
    for (char** e = environ; *e != nullptr; ++e) env.push_back(*e);
    for (const std::string& e : contender_.env) env.push_back(const_cast<char*>(e.c_str()));
    env.push_back(nullptr);
    unsigned number = 0;
    while (::read(in, &number, sizeof number) == sizeof number) {
      const Shot s = run(number, env.data());
      if (::write(out, &s, sizeof s) != sizeof s) break;
    }
    std::_Exit(0);
  }

  Shot run(unsigned number, char** env) {
    std::vector<std::string> words = contender_.argv;
    for (std::string& w : words) {
      if (const auto at = w.find("{}"); at != std::string::npos) w.replace(at, 2, std::to_string(number));
    }
    std::vector<char*> argv;
    for (std::string& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    int printed[2] = {-1, -1};
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    for (const auto& [fd, path] : contender_.files) {
      const int flags = fd == 1 ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY;
      ::posix_spawn_file_actions_addopen(&actions, fd, path.c_str(), flags, 0644);
    }
    if (contender_.value) {
      if (::pipe2(printed, O_CLOEXEC) != 0) die("pipe");
      ::posix_spawn_file_actions_adddup2(&actions, printed[1], 1);
    }
    Shot s;
    pid_t pid = -1;
    const double begin = now_us();
    const int error = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), env);
    if (error != 0) die("start " + words[0] + ": " + std::strerror(error));
    rusage usage{};
    int status = 0;
    while (::wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
    }
    s.wall_us = now_us() - begin;
    s.cpu_us = us(usage.ru_utime) + us(usage.ru_stime);
    s.rss_mib = static_cast<double>(usage.ru_maxrss) / 1024;
    ::posix_spawn_file_actions_destroy(&actions);
    if (contender_.value) {
      ::close(printed[1]);
      std::string text(256, '\0');
      text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::read(printed[0], text.data(), text.size()))));
      ::close(printed[0]);
      s.wall_us = std::strtod(text.c_str(), nullptr);
      if (s.wall_us <= 0) die(contender_.name + ": printed no number but \"" + text + "\"");
    }
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (code != contender_.expected_exit) die(contender_.name + ": ended with " + std::to_string(code));
    return s;
  }

  const Contender& contender_;
  int to_{-1}, from_{-1};
  pid_t pid_{-1};
};

/// Waits until a stretch of our own time passes without anyone taking the processor, at most `patience_us`.
void wait_for_calm(double patience_us) {
  constexpr double kStretch = 300, kTaken = 20;
  const double begin = now_us();
  double stretch = begin, last = begin;
  while (last - begin < patience_us) {
    const double now = now_us();
    if (now - last > kTaken) stretch = now;
    if (now - stretch > kStretch) return;
    last = now;
  }
}

double quantile(std::vector<double> v, double q) {
  std::sort(v.begin(), v.end());
  return v.empty() ? 0 : v[std::min(v.size() - 1, static_cast<std::size_t>(q * static_cast<double>(v.size())))];
}

std::vector<double> column(const Contender& c, double Shot::*figure) {
  std::vector<double> out;
  for (const Shot& s : c.shots) out.push_back(s.*figure);
  return out;
}

std::vector<double> ratios(const Contender& c, const Contender& base) {
  std::vector<double> out;
  for (std::size_t i = 0; i < std::min(c.shots.size(), base.shots.size()); ++i) {
    out.push_back(c.shots[i].wall_us / base.shots[i].wall_us);
  }
  return out;
}

struct Options {
  std::string plan, json_file;
  unsigned rounds{100}, warmup{3};
  double settle_ms{20}, calm_ms{4}, max_seconds{600};
};

Options parse_options(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    if (a.rfind("-", 0) != 0) {
      o.plan = a;
      continue;
    }
    if (i + 1 >= argc) die("a value is missing after " + a);
    const char* const v = argv[++i];
    if (a == "-n") {
      o.rounds = static_cast<unsigned>(std::atoi(v));
    } else if (a == "--warmup") {
      o.warmup = static_cast<unsigned>(std::atoi(v));
    } else if (a == "--calm-ms") {
      o.calm_ms = std::atof(v);
    } else if (a == "--settle-ms") {
      o.settle_ms = std::atof(v);
    } else if (a == "--max-seconds") {
      o.max_seconds = std::atof(v);
    } else if (a == "--json") {
      o.json_file = v;
    } else {
      die("unknown option " + a);
    }
  }
  if (o.plan.empty() || o.rounds == 0) die("usage: race PLAN.json [-n ROUNDS] …");
  return o;
}

void run_rounds(std::vector<Contender>& contenders, const Options& o) {
  std::vector<std::unique_ptr<Starter>> starters;
  for (const Contender& c : contenders) starters.push_back(std::make_unique<Starter>(c));
  const double begin = now_us();
  unsigned number = 0;
  for (unsigned round = 0; round < o.warmup + o.rounds; ++round) {
    if (now_us() - begin > o.max_seconds * 1e6 && round > o.warmup) break;
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      ::usleep(static_cast<useconds_t>(o.settle_ms * 1000));
      wait_for_calm(o.calm_ms * 1000);
      const Shot s = starters[i]->shoot(number++);
      if (round >= o.warmup) contenders[i].shots.push_back(s);
    }
  }
}

json result_of(const Contender& c, const Contender& base) {
  const auto wall = column(c, &Shot::wall_us);
  const auto ratio = ratios(c, base);
  return {{"name", c.name},
          {"n", c.shots.size()},
          {"median", quantile(wall, 0.5)},
          {"p10", quantile(wall, 0.1)},
          {"p95", quantile(wall, 0.95)},
          {"cpu", quantile(column(c, &Shot::cpu_us), 0.5)},
          {"rssMib", quantile(column(c, &Shot::rss_mib), 0.5)},
          {"ratio", quantile(ratio, 0.5)},
          {"ratioP25", quantile(ratio, 0.25)},
          {"ratioP75", quantile(ratio, 0.75)},
          {"wall", wall}};
}

}  // namespace

int main(int argc, char** argv) try {
  const Options o = parse_options(argc, argv);
  std::ifstream file(o.plan);
  const json plan = json::parse(file);
  std::vector<Contender> contenders;
  for (const json& j : plan.at("contenders")) contenders.push_back(parse(j));
  const std::string against = plan.value("against", contenders.at(0).name);
  (void)::setpriority(PRIO_PROCESS, 0, -15);  // as far as we may: fewer shots are disturbed
  run_rounds(contenders, o);
  const auto base =
      std::find_if(contenders.begin(), contenders.end(), [&](const Contender& c) { return c.name == against; });
  if (base == contenders.end()) die("no contender is called " + against);

  json out{{"against", against}, {"contenders", json::array()}};
  std::printf("%-44s %5s %12s %12s %10s %8s %9s\n", "", "n", "median", "p95", "cpu us", "RSS MiB", "x base");
  for (const Contender& c : contenders) {
    json r = result_of(c, *base);
    std::printf("%-44s %5zu %12.1f %12.1f %10.0f %8.1f %9.3f\n", c.name.c_str(), c.shots.size(),
                r["median"].get<double>(), r["p95"].get<double>(), r["cpu"].get<double>(), r["rssMib"].get<double>(),
                r["ratio"].get<double>());
    out["contenders"].push_back(std::move(r));
  }
  if (!o.json_file.empty()) std::ofstream(o.json_file) << out.dump() << "\n";
  return 0;
} catch (const std::exception& e) {
  die(e.what());
}
