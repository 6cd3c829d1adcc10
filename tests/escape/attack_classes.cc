#include "tests/escape/attack_classes.h"

namespace helios::test {
namespace {

using Words = std::vector<std::string>;

Arguments fixed(Words words) {
  return [words](const Bait&) { return words; };
}

// Where a file must not be made. The control makes one only in the folder that is the test's own.
Words places_outside(const Bait& bait) {
  return {bait.open_folder, "/",    "/usr", "/usr/bin", "/etc", "/bin",  "/lib", "/root", "/home",
          "/opt",           "/srv", "/var", "/run",     "/dev", "/proc", "/sys", "/mnt",  "/boot"};
}

}  // namespace

const std::vector<Attack>& attacks() {
  static const Arguments inside = fixed({"inside"});
  static const std::vector<Attack> table = {
      // the runner and pid 1
      {"overwrite-program", "CVE-2019-5736: the program of init or the runner, through /proc/PID/exe"},
      {"leaked-fd", "CVE-2024-21626: a descriptor or working directory of the runner", {}, false, Control::bare_leaky},
      {"ptrace-parent", "ptrace of the parent or init"},
      {"process-vm", "memory of the parent by process_vm_readv"},
      {"parent-memory-file", "memory of the parent by /proc/PID/mem"},
      {"pidfd-getfd", "a descriptor of the parent"},
      {"environ-secret", "the runner's secrets in /proc/PID/environ", [](const Bait& b) { return Words{b.word}; }},
      {"join-namespaces", "setns to the parent's namespaces"},
      {"prlimit-parent", "limits of the parent"},
      {"signal-outside", "signals to a process of the host", [](const Bait& b) { return Words{b.victim_pid}; }},
      {"see-process", "a process of the host in /proc", [](const Bait& b) { return Words{b.victim_name}; }},
      {"capabilities", "CVE-2022-29162: any of the five sets not empty"},
      {"become-root", "uid, gid or groups 0"},
      // files
      {"read-file", "a file outside, by name and through every root that /proc shows",
       [](const Bait& b) {
         return Words{b.secret_file, b.word};
       }},
      {"read-from",
       "files only root may read",
       fixed({"/etc/shadow", "/etc/gshadow", "/proc/kcore", "/proc/1/mem"}),
       false,
       Control::shell,
       {},
       fixed({"/etc/shadow", "/proc/kcore"})},
      {"read-from",
       "what is hidden in /proc, and the firmware",
       fixed({"/proc/keys", "/proc/key-users", "/proc/timer_list", "/proc/kallsyms", "/proc/sched_debug",
              "/proc/scsi/scsi", "/proc/latency_stats", "/proc/config.gz", "/proc/kmsg",
              "/sys/firmware/acpi/tables/DSDT", "/sys/firmware/dmi/tables/DMI", "/sys/kernel/vmcoreinfo"}),
       false,
       Control::shell,
       {},
       fixed({"/proc/kallsyms"})},
      {"link-file", "hard and symbolic links out of the workspace",
       [](const Bait& b) {
         return Words{b.secret_file, b.word};
       }},
      {"write-outside",
       "a file outside the workspace",
       places_outside,
       false,
       Control::shell,
       {},
       [](const Bait& b) { return Words{b.open_folder}; }},
      {"open-for-writing", "CVE-2025-31133, CVE-2025-52881: files of /proc and /sys that steer the host",
       fixed({"/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/kernel/pid_max",
              "/proc/sys/kernel/hostname", "/proc/sys/vm/drop_caches", "/proc/sys/fs/binfmt_misc/register",
              "/proc/sys/kernel/ns_last_pid", "/proc/sys/net/ipv4/ip_forward", "/proc/acpi/wakeup",
              "/proc/irq/default_smp_affinity", "/proc/mtrr", "/sys/kernel/uevent_helper",
              "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/power/state", "/sys/kernel/profiling"})},
      {"writable-below", "anything to write in /proc/sys", fixed({"/proc/sys", "6"})},
      {"open-for-writing", "programs and libraries of the host",
       fixed({"/usr/bin/env", "/bin/sh", "/etc/passwd", "/etc/ld.so.cache", "/etc/hosts"})},
      {"cgroup-write", "CVE-2023-25809: a cgroup file"},
      {"device-files", "devices"},
      {"console", "CVE-2025-52565: the console"},
      {"make-device", "mknod"},
      {"name-to-handle", "file handles"},
      {"open-by-handle", "the disk's root by its handle"},
      {"kernel-log", "dmesg and kmsg"},
      {"leave-setuid", "Judge0 CVE-2024-28189 and kin: a set-user-id file of the owner, by each call with a mode"},
      {"leave-setuid-file", "the same, and it stays", fixed({"stays"})},
      {"file-capabilities", "capabilities on a file"},
      {"setuid-gain", "uid 0 by a set-user-id program",
       [](const Bait& b) { return Words{"./" + b.root_program.substr(b.root_program.rfind('/') + 1)}; }, false,
       Control::bare_user},
      // mounts
      {"mounts", "mount, umount", inside, false, Control::shell, {}, fixed({})},
      {"mounts-new-calls", "fsopen, open_tree, fspick, mount_setattr", inside, false, Control::shell, {}, fixed({})},
      {"fake-proc", "CVE-2019-16884, CVE-2025-52881: a /proc that lies", inside, false, Control::shell, {}, fixed({})},
      {"change-root", "chroot"},
      // system calls
      {"int80", "the 32-bit entry"},
      {"x32", "the x32 entry", {}, false, Control::shell_differs, {"x32-seen-by-a-filter"}},
      {"userns-unshare", "a user namespace by unshare"},
      {"userns-clone", "a user namespace by clone"},
      {"userns-clone-high", "the same with a bit the kernel cuts off"},
      {"userns-clone3", "a user namespace by clone3"},
      {"namespaces-clone", "other namespaces by clone"},
      {"io-uring", "io_uring"},
      {"keys", "keyrings"},
      {"bpf", "bpf"},
      {"perf", "perf events"},
      {"userfaultfd", "userfaultfd"},
      {"personality", "personality"},
      {"modify-ldt", "modify_ldt"},
      {"fanotify", "fanotify"},
      {"privileged-calls", "reboot, modules, swap, kexec, acct, host name …"},
      // sockets and IPC
      {"vsock", "AF_VSOCK, which no network namespace holds"},
      {"vsock-high", "the same with bits the kernel cuts off"},
      {"odd-sockets", "packet, alg, key, tipc, bluetooth, rds, raw"},
      {"network", "a listener on the host's loopback", [](const Bait& b) { return Words{b.port}; }},
      {"abstract-socket", "an abstract socket of the host", [](const Bait& b) { return Words{b.abstract_name}; }},
      {"path-socket", "a socket file of the host", [](const Bait& b) { return Words{b.socket_path}; }},
      {"sysv-ipc", "SysV IPC of the host", [](const Bait& b) { return Words{b.sysv_key}; }},
      {"posix-shm", "shared memory of the host", [](const Bait& b) { return Words{b.shm_name}; }},
      {"posix-mq", "a message queue of the host", [](const Bait& b) { return Words{b.queue_name}; }},
      {"tiocsti", "CVE-2017-5226: a byte into the operator's terminal", {}, true},
      {"tiocsti-own-pty", "the call itself, on a terminal of its own"},
      {"tioclinux", "TIOCLINUX", {}, true},
      // limits
      {"raise-rlimit", "a hard limit", {}, false, Control::shell_differs, {"raise-rlimit-as-allowed"}},
      {"huge-pages", "memory that no limit counts"},
      {"lower-core-limit", "the host's crash handler, started as root for a command that crashes"},
      {"raise-priority", "nice and real time"},
  };
  return table;
}

}  // namespace helios::test
