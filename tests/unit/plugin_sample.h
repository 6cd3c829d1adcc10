/// Values with nothing left at its default, to be carried over the plugin boundary and compared.
#pragma once

#include "helios/request.h"
#include "helios/runner.h"

namespace helios::test {

inline ExecutionRequest sample_request() {
  ExecutionRequest r;
  r.job_id = "job-1";
  r.chunk_id = (std::uint64_t{1} << 53) - 1;
  r.attempt = 7;
  r.argv = {"ffmpeg", "", "-i", std::string("a\0b", 3)};
  r.caller_env = {{"PATH", "/bin"}, {"EMPTY", ""}};
  r.extra_env = {{"A", "1"}};
  r.workspace = "/w";
  r.workdir = "/w/d";
  r.output_file = "/w/out.mp4";
  for (std::size_t i = 0; i < kLimitCount; ++i) r.limits.values[i] = i == 3 ? std::nullopt : std::optional(i * 1000);
  r.grace_ms = 11;
  r.drain_ms = 12;
  r.workspace_ids = WorkspaceIds::chown;
  r.uid_first = 13;
  r.uid_count = 14;
  r.cgroup_parent = "/sys/fs/cgroup/x";
  r.allow_degraded = {"memory", "landlock"};
  r.plan_for = "shell";
  r.state_dir = "/run/helios";
  r.cache_dir = "/home/u/.cache";
  r.learn = true;
  r.timeline_ms = 15;
  SandboxProfile& p = r.profile;
  p.policy_name = "strict";
  p.policy_sha256 = "abc";
  p.env_allow = {"LANG", "LC_*"};
  p.env_set = {{"HOME", "/tmp"}};
  p.mounts = {{MountKind::ro_bind, "/usr", "/usr", 0, true}, {MountKind::tmpfs, "", "/t", 4096, false}};
  p.network = Network::host;
  p.tmp_bytes = 21;
  p.shm_bytes = 22;
  p.nested_user_namespaces = true;
  p.rootfs = "/roots/x";
  p.seccomp_json = "{}";
  p.seccomp_sha256 = "def";
  p.filter_dirs = {"/p/compiled"};
  // A field that is added does not compile here until it has its place above, in plugin_abi.h and in plugin_wire.h.
  [[maybe_unused]] const auto& [r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, r13, r14, r15, r16, r17, r18, r19,
                                r20, r21, r22, r23] = r;
  [[maybe_unused]] const auto& [p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13] = p;
  return r;
}

inline std::vector<Finding> sample_findings() {
  return {{"user-namespaces", Severity::ok, "made one", ""},
          {"cgroup:memory", Severity::degraded, "v1", "boot with v2"},
          {"landlock", Severity::blocking, "no", "newer kernel"}};
}

inline std::vector<PlanItem> sample_items() {
  return {{"argv", "0", "ffmpeg"}, {"argv", "1", ""}, {"limits", "memory", "1G"}};
}

inline Execution sample_execution() {
  Execution e;
  e.termination = {Reason::syscall_denied, 137, 9, 15, "ptrace", {{"memory.events", "oom_kill", -1}, {"a", "b", 2}}};
  for (std::size_t i = 0; i < kFigureCount; ++i) {
    if (i != 5) e.usage.set(static_cast<Figure>(i), static_cast<double>(i) + 0.25, "source-" + std::to_string(i));
  }
  e.limits = {{Limit::memory, 1, 2, "cgroup"}, {Limit::file_size, 3, std::nullopt, "degraded"}};
  e.isolation = {"user", "seccomp"};
  e.denied = {{"ptrace", 101, 3, "EPERM", "0x1, 0x2", "sh"}};
  e.survivors = {{4242, "sleep"}, {4243, "sh"}};
  e.survivor_count = 40;
  e.notes = {"memory is not limited"};
  e.cgroup = "mixed";
  e.used = {{"written", "/tmp/a", "x", 3}};
  e.last_processes = {{4244, 4243, "ffmpeg -i a", 4096, "D", "io_schedule"}, {4245, 1, "[sh]", 0, "R", ""}};
  [[maybe_unused]] const auto& [e1, e2, e3, e4, e5, e6, e7, e8, e9, e10, e11] = e;
  [[maybe_unused]] const auto& [l1, l2, l3, l4, l5, l6] = e.last_processes[0];
  [[maybe_unused]] const auto& [t1, t2, t3, t4, t5, t6] = e.termination;
  [[maybe_unused]] const auto& [d1, d2, d3, d4, d5, d6] = e.denied[0];
  return e;
}

}  // namespace helios::test
