#include "tests/escape/bait.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "tests/support/host_snapshot.h"

namespace helios::test {
namespace {
namespace fs = std::filesystem;

// Seven digits, a SysV key that everybody takes for a bait's.
std::string random_mark() {
  std::random_device random;
  char text[16];
  const long number = (kBaitKeyMark << kBaitKeyShift) | (random() & ((1U << kBaitKeyShift) - 1));
  std::snprintf(text, sizeof text, "%07lx", number);
  return text;
}

int listen_unix(const std::string& name, bool abstract) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + (abstract ? 1 : 0), name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0) << name << strerror(errno);
  EXPECT_EQ(listen(fd, 8), 0);
  return fd;
}

int listen_tcp(std::string* port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(listen(fd, 8), 0);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  *port = std::to_string(ntohs(address.sin_port));
  return fd;
}

// Sleeps under a name of its own; SIGUSR1 ends it, which is how its being hit is seen.
pid_t start_victim(const std::string& name, const Identity& who) {
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (geteuid() == 0 && !who.is_root() &&
        (setresgid(who.gid, who.gid, who.gid) != 0 || setresuid(who.uid, who.uid, who.uid) != 0))
      _exit(1);
    prctl(PR_SET_NAME, name.c_str());
    signal(SIGUSR1, SIG_DFL);
    for (;;) pause();
  }
  EXPECT_TRUE(wait_until([&] {
    std::ifstream comm("/proc/" + std::to_string(pid) + "/comm");
    std::string now;
    return std::getline(comm, now) && now == name;
  }));
  return pid;
}

std::string read_all(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

}  // namespace

Bait::Bait(const Scene& scene) : workspace_(scene.workspace()) {
  const std::string mark = random_mark();
  word = "secret-" + mark;
  secret_file = scene.outside() / "secret";
  scene.write(secret_file, word + "\n", 0600);
  open_folder = scene.outside() / "open";
  fs::create_directory(open_folder);
  chmod(open_folder.c_str(), 0777);
  scene.bring_probe("escape_probe");
  if (geteuid() == 0) {
    root_program = scene.in_workspace("root_program");
    fs::copy_file(probe_path("escape_probe"), root_program);
    chown(root_program.c_str(), 0, 0);
    chmod(root_program.c_str(), 04755);
  }
  abstract_name = "helios-bait-" + mark;
  abstract_ = listen_unix(abstract_name, true);
  socket_path = scene.outside() / "socket";
  path_ = listen_unix(socket_path, false);
  chmod(socket_path.c_str(), 0777);
  tcp_ = listen_tcp(&port);
  sysv_key = "0x" + mark;
  segment_ = shmget(static_cast<key_t>(std::stol(mark, nullptr, 16)), 4096, IPC_CREAT | 0666);
  EXPECT_GE(segment_, 0);
  shm_name = "/bait-" + mark;
  const int shm = shm_open(shm_name.c_str(), O_RDWR | O_CREAT, 0666);
  EXPECT_GE(shm, 0);
  close(shm);
  queue_name = "/bait-" + mark;
  mq_attr attributes{};
  attributes.mq_maxmsg = 1;
  attributes.mq_msgsize = 8;
  const mqd_t queue = mq_open(queue_name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666, &attributes);
  if (queue == static_cast<mqd_t>(-1))
    queue_name.clear();
  else
    mq_close(queue);
  victim_name = "bait" + mark;
  victim_ = start_victim(victim_name, scene.who());
  victim_pid = std::to_string(victim_);
}

Bait::~Bait() {
  kill(victim_, SIGKILL);
  waitpid(victim_, nullptr, 0);
  shmctl(segment_, IPC_RMID, nullptr);
  shm_unlink(shm_name.c_str());
  if (!queue_name.empty()) mq_unlink(queue_name.c_str());
  for (int fd : {abstract_, path_, tcp_}) close(fd);
}

std::string Bait::damage() const {
  std::string found;
  if (read_all(secret_file) != word + "\n") found += "the secret file was changed; ";
  if (!fs::is_empty(open_folder)) found += "a file appeared outside the workspace; ";
  siginfo_t ended{};
  if (waitid(P_PID, static_cast<id_t>(victim_), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0)
    found += "the victim was hit; ";
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(workspace_)) {
    struct stat s {};
    if (entry.path() != root_program && lstat(entry.path().c_str(), &s) == 0 && S_ISREG(s.st_mode) &&
        (s.st_mode & (S_ISUID | S_ISGID)) != 0)
      found += entry.path().string() + " is set-user-id; ";
    if (lstat(entry.path().c_str(), &s) == 0 && (S_ISCHR(s.st_mode) || S_ISBLK(s.st_mode)))
      found += entry.path().string() + " is a device; ";
  }
  return found;
}

}  // namespace helios::test
