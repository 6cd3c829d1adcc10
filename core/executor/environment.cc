#include "core/executor/environment.h"

#include <algorithm>
#include <array>

namespace helios {
namespace {

constexpr std::string_view kHidden = "<hidden>";

constexpr std::array<std::string_view, 10> kSecretWords{"TOKEN", "SECRET",     "PASSWORD", "PASSWD", "PASSPHRASE",
                                                        "KEY",   "CREDENTIAL", "AUTH",     "COOKIE", "PRIVATE"};

std::string upper(std::string_view s) {
  std::string u(s);
  for (char& c : u) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return u;
}

void replace_all(std::string& text, const std::string& value) {
  for (std::size_t at = text.find(value); at != std::string::npos; at = text.find(value, at + kHidden.size())) {
    text.replace(at, value.size(), kHidden);
  }
}

void hide_values(std::vector<EnvVar>& vars, std::vector<std::string>& values) {
  for (EnvVar& v : vars) {
    if (!looks_secret(v.name)) continue;
    if (v.value.size() >= 6) values.push_back(v.value);  // a shorter one would be found in half of all words
    v.value = kHidden;
  }
}

}  // namespace

void set_variable(std::vector<EnvVar>& vars, EnvVar v) {
  const auto same = std::find_if(vars.begin(), vars.end(), [&](const EnvVar& o) { return o.name == v.name; });
  if (same != vars.end()) {
    same->value = std::move(v.value);
  } else {
    vars.push_back(std::move(v));
  }
}

Result<EnvVar> parse_variable(std::string_view text) {
  const std::size_t eq = text.find('=');
  if (eq == std::string_view::npos || eq == 0) {
    const std::string found = eq == 0 ? "an empty name before '='" : "'" + std::string(text.substr(0, eq)) + "'";
    return fail(ErrorCode::invalid_argument, "expected NAME=VALUE, found " + found,
                eq == std::string_view::npos ? "--pass-env NAME passes a variable of the caller's" : "");
  }
  return EnvVar{std::string(text.substr(0, eq)), std::string(text.substr(eq + 1))};
}

bool looks_secret(std::string_view name) {
  const std::string u = upper(name);
  return std::any_of(kSecretWords.begin(), kSecretWords.end(),
                     [&](std::string_view word) { return u.find(word) != std::string::npos; });
}

void hide_secrets(Plan& plan) {
  std::vector<std::string> values;
  hide_values(plan.request.caller_env, values);
  hide_values(plan.request.extra_env, values);
  hide_values(plan.request.profile.env_set, values);
  for (PlanItem& item : plan.items) {
    if (item.section.starts_with("env") && looks_secret(item.key)) item.value = kHidden;
    for (const std::string& value : values) replace_all(item.value, value);
  }
}

}  // namespace helios
