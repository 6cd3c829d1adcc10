#include "core/executor/environment.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/sys/printable.h"

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

constexpr std::size_t kLeastSecret = 6;  // a shorter one would be found in half of all words

/// The values that are never shown, the longest first: one may begin with another.
class SecretValues {
 public:
  void add(const std::vector<EnvVar>& vars) {
    for (const EnvVar& v : vars) {
      if (v.value.size() < kLeastSecret || !looks_secret(v.name)) continue;
      values_.push_back(v.value);
      if (std::string shown = sys::printable(v.value); shown != v.value) values_.push_back(std::move(shown));
    }
    std::sort(values_.begin(), values_.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
  }

  /// `cut_off`: the text may end within a value.
  void hide(std::string& text, bool cut_off = false) const {
    for (const std::string& value : values_) {
      for (std::size_t at = text.find(value); at != std::string::npos; at = text.find(value, at + kHidden.size())) {
        text.replace(at, value.size(), kHidden);
      }
      if (cut_off) hide_begun(text, value);
    }
  }

 private:
  static void hide_begun(std::string& text, const std::string& value) {
    for (std::size_t n = std::min(value.size() - 1, text.size()); n >= kLeastSecret; --n) {
      if (text.compare(text.size() - n, n, value, 0, n) != 0) continue;
      text.replace(text.size() - n, n, kHidden);
      return;
    }
  }

  std::vector<std::string> values_;
};

SecretValues secrets_of(const ExecutionRequest& request) {
  SecretValues values;
  for (const auto* vars : {&request.caller_env, &request.extra_env, &request.profile.env_set}) values.add(*vars);
  return values;
}

void hide_values(std::vector<EnvVar>& vars) {
  for (EnvVar& v : vars) {
    if (looks_secret(v.name)) v.value = kHidden;
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
  ExecutionRequest& request = plan.request;
  const SecretValues values = secrets_of(request);
  for (auto* vars : {&request.caller_env, &request.extra_env, &request.profile.env_set}) hide_values(*vars);
  for (std::string& word : request.argv) values.hide(word);
  for (PlanItem& item : plan.items) {
    if (item.section.starts_with("env") && looks_secret(item.key)) item.value = kHidden;
    values.hide(item.value);
  }
}

void hide_secrets(Execution& e, const ExecutionRequest& request) {
  const bool plain = e.termination.reason == Reason::exited && e.notes.empty();
  if (plain && e.last_processes.empty()) return;
  const SecretValues values = secrets_of(request);
  values.hide(e.termination.detail);
  for (std::string& note : e.notes) values.hide(note);
  for (LastProcess& p : e.last_processes) values.hide(p.command, true);
}

}  // namespace helios
