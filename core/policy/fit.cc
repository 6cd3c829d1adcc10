#include "core/policy/fit.h"

#include <algorithm>
#include <cmath>

#include "core/spec/quantity.h"

namespace helios::policy {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kSecond = 1000;

/// Without libm, which would be one more shared library at every start.
std::uint64_t round_up(double value, const FitRule& rule) {
  constexpr double kMost = 9e15;  // below 2^53, where doubles stop counting
  const double bounded = std::min(std::max(value, 0.0), kMost);
  const auto whole = static_cast<std::uint64_t>(bounded);
  const std::uint64_t up = whole + (static_cast<double>(whole) < bounded ? 1 : 0);
  return std::max((up + rule.step - 1) / rule.step * rule.step, rule.least);
}

}  // namespace

FitRule fit_rule(Limit limit) {
  switch (limit) {
    case Limit::memory_high:
    case Limit::memory:  // the peak holds page cache that the kernel would give back: a quarter more is plenty
      return {1.25, 32 * kMiB, 16 * kMiB};
    case Limit::processes:
      return {1.25, 16, 8};
    case Limit::wall_time:  // another host is slower, a shared one much slower
    case Limit::cpu_time:
    case Limit::idle_time:
      return {3, 30 * kSecond, 10 * kSecond};
    case Limit::output_bytes:
      return {4, kMiB, kMiB};
    case Limit::disk_bytes:
    case Limit::file_size:
      return {2, 64 * kMiB, 16 * kMiB};
    case Limit::disk_files:
      return {2, 1000, 100};
    case Limit::open_files:
      return {2, 256, 64};
    case Limit::cpus:
      return {1, 1000, 500};
    case Limit::swap:
      return {1, 0, kMiB};
  }
  return {1, 0, 1};
}

std::uint64_t fitting_limit(Limit limit, double seen) {
  const FitRule rule = fit_rule(limit);
  return round_up(seen * rule.factor, rule);
}

std::uint64_t next_limit(Limit limit, std::uint64_t in_force) {
  return round_up(2.0 * static_cast<double>(in_force), fit_rule(limit));
}

std::string margin_words(Limit limit) {
  const FitRule rule = fit_rule(limit);
  const LimitUnit unit = info(limit).unit;
  return "+ " + std::to_string(std::lround((rule.factor - 1) * 100)) + " %, in steps of " +
         spec::format_quantity(unit, rule.step) + ", at least " + spec::format_quantity(unit, rule.least);
}

}  // namespace helios::policy
