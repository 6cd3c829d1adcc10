/// Errors of the library: what could not be done, on what, why, and what the reader can do about it.
///
/// Three kinds of failure have three channels. A *program* that failed is a normal `Execution`. Something *we* could
/// not do is an `Error` in a `Result`. A bug of ours is an assert or an exception that reaches `main`.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace helios {

/// What kind of thing went wrong. One table in `apps` maps it to an exit status (and later an HTTP status).
enum class ErrorCode {
  invalid_argument,  ///< a flag or a request field makes no sense
  invalid_spec,      ///< the job spec is malformed or asks for something it may not
  invalid_policy,    ///< the policy is malformed, or another user could have written it
  not_found,         ///< a chunk, file, runner or policy that does not exist
  fetch_failed,      ///< the spec's URL could not be fetched within its bounds
  plugin_rejected,   ///< a plugin file was found and refused
  unsupported,       ///< this host (kernel, file system, privileges) cannot do what was asked
  setup_failed,      ///< the sandbox could not be built; nothing of the chunk ran
  io,                ///< reading or writing failed
  internal,          ///< a broken invariant of ours
};

/// `message` is one line: doing what, on what, why. `remedy` is one line the user can act on, or empty.
struct Error {
  ErrorCode code{ErrorCode::internal};
  int sys_errno{0};  ///< errno at the time, 0 when no system call was involved
  std::string message;
  std::string remedy;

  Error() = default;
  Error(ErrorCode c, std::string what, std::string fix = {})
      : code(c), message(std::move(what)), remedy(std::move(fix)) {}

  /// From a failed system call: appends ": " and the text of `err` (pass `errno` at once).
  [[nodiscard]] static Error from_errno(ErrorCode c, std::string_view doing, int err, std::string fix = {}) {
    Error e{c, std::string(doing) + ": " + std::strerror(err), std::move(fix)};
    e.sys_errno = err;
    return e;
  }

  /// The same error, seen from one level up: "`doing`: message".
  [[nodiscard]] Error while_doing(std::string_view doing) const& {
    Error e = *this;
    e.message = std::string(doing) + ": " + message;
    return e;
  }

  bool operator==(const Error&) const = default;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

/// `return fail(ErrorCode::io, "…")` in a function that returns a Result.
[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string message, std::string remedy = {}) {
  return tl::make_unexpected(Error{code, std::move(message), std::move(remedy)});
}
[[nodiscard]] inline tl::unexpected<Error> fail(Error error) { return tl::make_unexpected(std::move(error)); }
[[nodiscard]] inline tl::unexpected<Error> fail_errno(ErrorCode code, std::string_view doing, int err,
                                                      std::string remedy = {}) {
  return tl::make_unexpected(Error::from_errno(code, doing, err, std::move(remedy)));
}

}  // namespace helios
