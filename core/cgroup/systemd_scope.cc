#include "core/cgroup/systemd_scope.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <thread>

#include "core/sys/file.h"
#include "core/sys/unique_fd.h"

namespace helios::cgroup {
namespace dbus {
namespace {

void align(std::string& out, std::size_t to) { out.resize((out.size() + to - 1) / to * to, '\0'); }
void put_u32(std::string& out, std::uint32_t v) {
  align(out, 4);
  for (int i = 0; i < 4; ++i) out += static_cast<char>(v >> (8 * i));
}
void put_u64(std::string& out, std::uint64_t v) {
  align(out, 8);
  for (int i = 0; i < 8; ++i) out += static_cast<char>(v >> (8 * i));
}
void put_string(std::string& out, std::string_view s) {
  put_u32(out, static_cast<std::uint32_t>(s.size()));
  out.append(s).push_back('\0');
}
void put_signature(std::string& out, std::string_view s) {
  out += static_cast<char>(s.size());
  out.append(s).push_back('\0');
}
void put_field(std::string& out, char code, std::string_view type, std::string_view value) {
  align(out, 8);
  out += code;
  put_signature(out, type);
  if (type == "g") {
    put_signature(out, value);
  } else {
    put_string(out, value);
  }
}
// Overwrites a length that was written as 0.
void patch_u32(std::string& out, std::size_t at, std::size_t v) {
  for (std::size_t i = 0; i < 4; ++i) out[at + i] = static_cast<char>(v >> (8 * i));
}
std::string& put_property(std::string& out, std::string_view key, std::string_view type) {
  align(out, 8);
  put_string(out, key);
  put_signature(out, type);
  return out;
}

}  // namespace

std::string marshal(const Call& call, std::uint32_t serial) {
  std::string out{'l', 1, 0, 1};  // little endian, method call, no flags, protocol 1
  put_u32(out, static_cast<std::uint32_t>(call.body.size()));
  put_u32(out, serial);
  put_u32(out, 0);
  const std::size_t fields = out.size();
  put_field(out, 1, "o", call.path);
  put_field(out, 6, "s", call.destination);
  put_field(out, 2, "s", call.interface);
  put_field(out, 3, "s", call.member);
  if (!call.signature.empty()) put_field(out, 8, "g", call.signature);
  patch_u32(out, fields - 4, out.size() - fields);
  align(out, 8);
  return out.append(call.body);
}

std::string scope_body(const std::string& name, std::uint32_t pid) {
  std::string out;
  put_string(out, name);
  put_string(out, "fail");
  put_u32(out, 0);
  const std::size_t length = out.size() - 4;
  align(out, 8);
  const std::size_t first = out.size();
  put_string(put_property(out, "Description", "s"), "helios-run");
  put_u32(put_property(out, "Delegate", "b"), 1);
  put_string(put_property(out, "CollectMode", "s"), "inactive-or-failed");
  put_u64(put_property(out, "TasksMax", "t"), UINT64_MAX);  // the default would cap all runs together
  put_u32(put_property(out, "PIDs", "au"), 4);
  put_u32(out, pid);
  patch_u32(out, length, out.size() - first);
  put_u32(out, 0);  // no auxiliary units
  align(out, 8);    // an empty array still aligns to its element
  return out;
}

std::string property_body(std::string_view interface, std::string_view property) {
  std::string out;
  put_string(out, interface);
  put_string(out, property);
  return out;
}

std::optional<bool> boolean_of(std::string_view body) {
  constexpr std::string_view kIsBoolean{"\1b\0\0", 4};  // the variant's signature, and up to the next multiple of 4
  if (body.size() < 8 || !body.starts_with(kIsBoolean)) return std::nullopt;
  return body[4] != 0;
}

std::string unit_interface(std::string_view group) {
  while (!group.empty()) {
    if (group.ends_with(".scope")) return "org.freedesktop.systemd1.Scope";
    if (group.ends_with(".service")) return "org.freedesktop.systemd1.Service";
    const std::size_t slash = group.rfind('/');
    group = group.substr(0, slash == std::string_view::npos ? 0 : slash);  // a unit may have groups of its own
  }
  return {};
}

}  // namespace dbus

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{20};  // a busy host's manager; a healthy one answers in milliseconds
constexpr std::size_t kMaxMessage = 1 << 20;

struct Message {
  int type{0};
  std::uint32_t reply_to{0};
  std::string error_name;
  std::string first_string;  // of the body, if it starts with one
  std::string body;
};

std::uint32_t get_u32(std::string_view bytes, std::size_t at) {
  std::uint32_t v = 0;
  for (std::size_t i = 0; i < 4 && at + i < bytes.size(); ++i) {
    v |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  }
  return v;
}

// One connection: reads with a deadline, so that a silent manager cannot hang us.
class Connection {
 public:
  static Result<Connection> open(const std::string& path) {
    Connection c;
    c.fd_ = sys::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!c.fd_) return fail_errno(ErrorCode::unsupported, "open a socket", errno);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return fail(ErrorCode::unsupported, path + ": name is too long");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    if (::connect(c.fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      return fail_errno(ErrorCode::unsupported, "connect to " + path, errno);
    }
    if (auto said = c.authenticate(); !said) return fail(said.error().while_doing(path));
    return c;
  }

  Status send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_errno(ErrorCode::unsupported, "write to systemd", errno);
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
  }

  // Sends the call and returns its reply; signals and other messages on the way are passed over.
  Result<Message> call(const dbus::Call& what) {
    const std::uint32_t serial = ++serial_;
    if (auto sent = send(dbus::marshal(what, serial)); !sent) return fail(sent.error());
    for (;;) {
      auto message = receive();
      if (!message) return message;
      if (message->reply_to != serial || (message->type != 2 && message->type != 3)) continue;
      if (message->type == 2) return message;
      return fail(ErrorCode::unsupported,
                  std::string(what.member) + ": " + message->first_string + " (" + message->error_name + ")");
    }
  }

 private:
  Status authenticate() {
    const std::string uid = std::to_string(::geteuid());
    std::string hex;
    for (const char c : uid) hex += {'3', c};  // digits are 0x30 to 0x39
    if (auto sent = send(std::string(1, '\0') + "AUTH EXTERNAL " + hex + "\r\n"); !sent) return sent;
    std::string line;
    while (line.size() < 512 && line.find('\n') == std::string::npos) {
      auto byte = take(1);
      if (!byte) return fail(byte.error());
      line += *byte;
    }
    if (line.compare(0, 3, "OK ") != 0)
      return fail(ErrorCode::unsupported, "authentication refused: " + line.substr(0, line.find('\r')));
    return send("BEGIN\r\n");
  }

  Result<std::string> take(std::size_t count) {
    std::string bytes(count, '\0');
    for (std::size_t have = 0; have < count;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
      pollfd p{fd_.get(), POLLIN, 0};
      const int ready = left <= 0 ? 0 : ::poll(&p, 1, static_cast<int>(left));
      if (ready < 0 && errno == EINTR) continue;
      if (ready <= 0) return fail(ErrorCode::unsupported, "no answer from systemd");
      const ssize_t n = ::recv(fd_.get(), bytes.data() + have, count - have, 0);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_errno(ErrorCode::unsupported, "read from systemd", errno);
      if (n == 0) return fail(ErrorCode::unsupported, "systemd closed the connection");
      have += static_cast<std::size_t>(n);
    }
    return bytes;
  }

  Result<Message> receive() {
    auto head = take(16);
    if (!head) return fail(head.error());
    const std::size_t fields = get_u32(*head, 12), body = get_u32(*head, 4);
    const std::size_t padded = (fields + 7) / 8 * 8;
    if ((*head)[0] != 'l' || fields > kMaxMessage || body > kMaxMessage) {
      return fail(ErrorCode::unsupported, "unexpected message from systemd");
    }
    auto rest = take(padded + body);
    if (!rest) return fail(rest.error());
    Message message;
    message.type = static_cast<unsigned char>((*head)[1]);
    read_fields(std::string_view(*rest).substr(0, fields), message);
    message.body = rest->substr(padded);
    const std::string_view content = message.body;
    const std::size_t length = get_u32(content, 0);
    if (content.size() >= 5 && length <= content.size() - 5) message.first_string = content.substr(4, length);
    return message;
  }

  // Array of (byte code, variant). Only types s, o, g and u occur in headers.
  static void read_fields(std::string_view bytes, Message& message) {
    for (std::size_t at = 0; at + 4 < bytes.size();) {
      const char code = bytes[at], type = bytes[at + 2];
      at += 4;  // code, signature's length 1, type, NUL
      if (type == 'u') {
        if (code == 5) message.reply_to = get_u32(bytes, at);
        at += 4;
      } else if (type == 'g') {
        at += static_cast<unsigned char>(bytes[at]) + 2U;
      } else if (type == 's' || type == 'o') {
        const std::size_t length = get_u32(bytes, at);
        if (length > bytes.size() || at + 4 + length > bytes.size()) return;
        if (code == 4) message.error_name = bytes.substr(at + 4, length);
        at += 4 + length + 1;
      } else {
        return;
      }
      at = (at + 7) / 8 * 8;
    }
  }

  sys::UniqueFd fd_;
  std::uint32_t serial_{0};
  Clock::time_point deadline_{Clock::now() + kPatience};
};

bool is_private(const std::string& socket) {
  return socket.size() > 8 && socket.substr(socket.size() - 8) == "/private";
}

// The reply only says that a job was queued; the move has happened when /proc says so.
Status await_move(const std::string& name) {
  const auto deadline = Clock::now() + kPatience;
  while (Clock::now() < deadline) {
    const auto own = sys::read_file("/proc/self/cgroup", 1 << 20);
    if (own && own->find("/" + name) != std::string::npos) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return fail(ErrorCode::unsupported, "systemd accepted " + name + " but did not move us there");
}

Result<Connection> connect_to(const std::string& socket) {
  auto connection = Connection::open(socket);
  if (!connection || is_private(socket)) return connection;
  // A bus wants a greeting; the manager's own socket has no bus behind it.
  auto hello =
      connection->call({"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", "", ""});
  if (!hello) return fail(hello.error().while_doing(socket));
  return connection;
}

Result<std::optional<bool>> ask_whether_delegated(const std::string& socket, const std::string& interface) {
  auto connection = connect_to(socket);
  if (!connection) return fail(connection.error());
  const auto pid = static_cast<std::uint32_t>(::getpid());
  const std::string self(reinterpret_cast<const char*>(&pid), sizeof pid);
  auto unit = connection->call({"org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                "org.freedesktop.systemd1.Manager", "GetUnitByPID", "u", self});
  if (!unit) return fail(unit.error());
  auto answer = connection->call({"org.freedesktop.systemd1", unit->first_string, "org.freedesktop.DBus.Properties",
                                  "Get", "ss", dbus::property_body(interface, "Delegate")});
  if (!answer) return fail(answer.error());
  return dbus::boolean_of(answer->body);
}

Status start_scope(const std::string& socket, const std::string& name) {
  auto connection = connect_to(socket);
  if (!connection) return fail(connection.error());
  const std::string body = dbus::scope_body(name, static_cast<std::uint32_t>(::getpid()));
  auto reply = connection->call({"org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                 "org.freedesktop.systemd1.Manager", "StartTransientUnit", "ssa(sv)a(sa(sv))", body});
  if (!reply) return fail(reply.error().while_doing(socket));
  return await_move(name);
}

}  // namespace

std::vector<std::string> systemd_sockets(uid_t uid) {
  std::vector<std::string> sockets;
  if (uid == 0) {
    sockets = {"/run/dbus/system_bus_socket", "/run/systemd/private"};
  } else {
    const char* set = std::getenv("XDG_RUNTIME_DIR");
    const std::string runtime = set != nullptr && *set == '/' ? set : "/run/user/" + std::to_string(uid);
    sockets = {runtime + "/bus", runtime + "/systemd/private"};
  }
  std::erase_if(sockets, [](const std::string& path) { return ::access(path.c_str(), W_OK) != 0; });
  return sockets;
}

std::optional<bool> unit_is_delegated(uid_t uid, std::string_view group) {
  const std::string interface = dbus::unit_interface(group);
  if (interface.empty()) return std::nullopt;
  for (const auto& socket : systemd_sockets(uid)) {
    if (auto answer = ask_whether_delegated(socket, interface)) return *answer;
  }
  return std::nullopt;
}

Status move_into_scope(uid_t uid, const std::string& name) {
  std::optional<Error> first;
  for (const auto& socket : systemd_sockets(uid)) {
    auto started = start_scope(socket, name);
    if (started) return {};
    if (!first) first = started.error();
  }
  const Error why = first.value_or(Error(ErrorCode::unsupported, "it has no socket here"));
  Error error = why.while_doing("ask systemd for a scope");
  error.remedy = uid == 0
                     ? "start it under `systemd-run --scope -p Delegate=yes …`"
                     : "start it under `systemd-run --user --scope -p Delegate=yes …`; `loginctl enable-linger USER` "
                       "gives a user without a login a manager";
  return fail(std::move(error));
}

}  // namespace helios::cgroup
