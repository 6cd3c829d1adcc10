/// URLs as far as choosing a fetch module and talking about a URL need them. Nothing here connects to anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace helios::fetch {

/// The scheme, in lower case, of something that is meant as a URL ("http" for "HTTP://host/x"); nothing for a path.
/// A file whose name looks like a URL is named as "./a://b".
[[nodiscard]] std::optional<std::string> url_scheme(std::string_view text);

/// The URL as it may be shown in errors and logs: without user name and password, without the query (signed URLs carry
/// their secret there) and the fragment, in printable ASCII, of at most 300 characters. When the host cannot be told
/// from what may be a password, the host is hidden too.
[[nodiscard]] std::string shown_url(std::string_view url);

}  // namespace helios::fetch
