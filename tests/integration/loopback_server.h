/// A hostile or plain HTTP server of a few lines on 127.0.0.1, for tests of what talks to one.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/sys/unique_fd.h"

namespace helios::test {

/// What a handler may do with one request. Every call ends early, with false, once the peer or the server is gone.
class Connection {
 public:
  Connection(int fd, std::string request, const std::atomic<bool>& stopping)
      : fd_(fd), request_(std::move(request)), stopping_(stopping) {}

  [[nodiscard]] const std::string& request() const { return request_; }
  /// "/a?b" of "GET /a?b HTTP/1.1".
  [[nodiscard]] std::string path() const {
    const std::size_t from = request_.find(' ') + 1;
    return request_.substr(from, request_.find(' ', from) - from);
  }

  bool send(std::string_view bytes) {
    while (!bytes.empty() && !stopping_) {
      pollfd ready{fd_, POLLOUT, 0};
      if (::poll(&ready, 1, 20) <= 0) continue;
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return bytes.empty();
  }
  bool send_body(std::string_view body) {
    return send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body));
  }
  bool redirect(const std::string& target) {
    return send("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + target + "\r\n\r\n");
  }
  /// Waits until the peer hangs up; false: the pause is over and it is still there.
  bool gone_within(std::chrono::milliseconds pause) {
    pollfd hangup{fd_, POLLRDHUP, 0};
    return stopping_ || ::poll(&hangup, 1, static_cast<int>(pause.count())) > 0;
  }
  void wait_until_gone() {
    while (!gone_within(std::chrono::milliseconds(20))) continue;
  }

 private:
  int fd_;
  std::string request_;
  const std::atomic<bool>& stopping_;
};

class LoopbackServer {
 public:
  using Handler = std::function<void(Connection&)>;

  explicit LoopbackServer(Handler handler, const std::string& address = "127.0.0.1")
      : handler_(std::move(handler)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    ::inet_pton(AF_INET, address.c_str(), &at.sin_addr);
    socklen_t length = sizeof at;
    if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), length) != 0 || ::listen(listener_.get(), 64) != 0 ||
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &length) != 0) {
      throw std::runtime_error("test server: cannot listen on " + address);
    }
    port_ = ntohs(at.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;
  ~LoopbackServer() {
    stopping_ = true;
    acceptor_.join();
    for (std::thread& t : workers_) t.join();
  }

  [[nodiscard]] std::string url(const std::string& path, const std::string& host = "127.0.0.1") const {
    return "http://" + host + ":" + std::to_string(port_) + path;
  }
  /// The heads of all requests so far.
  [[nodiscard]] std::vector<std::string> requests() const {
    const std::scoped_lock lock(mutex_);
    return requests_;
  }

 private:
  void accept_all() {
    while (!stopping_) {
      pollfd waiting{listener_.get(), POLLIN, 0};
      if (::poll(&waiting, 1, 20) <= 0) continue;
      const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) workers_.emplace_back([this, fd] { serve(sys::UniqueFd(fd)); });
    }
  }
  void serve(const sys::UniqueFd& fd) {
    std::string head;
    char buffer[4096];
    while (!stopping_ && head.find("\r\n\r\n") == std::string::npos) {
      pollfd readable{fd.get(), POLLIN, 0};
      if (::poll(&readable, 1, 20) <= 0) continue;
      const ssize_t got = ::recv(fd.get(), buffer, sizeof buffer, 0);
      if (got <= 0) return;
      head.append(buffer, static_cast<std::size_t>(got));
    }
    {
      const std::scoped_lock lock(mutex_);
      requests_.push_back(head);
    }
    Connection connection(fd.get(), head, stopping_);
    handler_(connection);
  }

  Handler handler_;
  sys::UniqueFd listener_;
  std::uint16_t port_{0};
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::vector<std::thread> workers_;  // touched by the acceptor, and after it has ended
  std::thread acceptor_;
};

}  // namespace helios::test
