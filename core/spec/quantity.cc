#include "core/spec/quantity.h"

#include <array>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>

#include "core/spec/json_problem.h"

namespace helios::spec {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::uint64_t kKibi = 1024;
constexpr std::array<Unit, 9> kByteUnits{{{"", 1},
                                          {"K", kKibi},
                                          {"M", kKibi* kKibi},
                                          {"G", kKibi* kKibi* kKibi},
                                          {"T", kKibi* kKibi* kKibi* kKibi},
                                          {"KiB", kKibi},
                                          {"MiB", kKibi* kKibi},
                                          {"GiB", kKibi* kKibi* kKibi},
                                          {"TiB", kKibi* kKibi* kKibi* kKibi}}};
constexpr std::array<Unit, 4> kTimeUnits{{{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
constexpr std::array<Unit, 1> kCpuUnits{{{"", 1000}}};
constexpr std::array<Unit, 1> kCountUnits{{{"", 1}}};

std::span<const Unit> units_of(LimitUnit unit) {
  switch (unit) {
    case LimitUnit::bytes:
      return kByteUnits;
    case LimitUnit::milliseconds:
      return kTimeUnits;
    case LimitUnit::milli_cpus:
      return kCpuUnits;
    case LimitUnit::count:
      break;
  }
  return kCountUnits;
}

/// A decimal number as written: 1.25 is whole 1, thousandths 250.
struct Decimal {
  std::uint64_t whole{0};
  std::uint64_t thousandths{0};
  bool fraction{false};
};

std::size_t digits_at(std::string_view text) {
  const std::size_t end = text.find_first_not_of("0123456789");
  return end == std::string_view::npos ? text.size() : end;
}

/// Takes the number off the start of `text`.
std::optional<Decimal> take_decimal(std::string_view& text) {
  Decimal number;
  const std::size_t whole = digits_at(text);
  if (whole == 0 || (whole > 1 && text[0] == '0')) return std::nullopt;
  if (std::from_chars(text.data(), text.data() + whole, number.whole).ec != std::errc{}) return std::nullopt;
  text.remove_prefix(whole);
  if (text.empty() || text[0] != '.') return number;
  text.remove_prefix(1);
  const std::size_t decimals = digits_at(text);
  if (decimals == 0 || decimals > 3) return std::nullopt;
  for (std::size_t i = 0; i < 3; ++i) {
    number.thousandths = number.thousandths * 10 + (i < decimals ? static_cast<std::uint64_t>(text[i] - '0') : 0);
  }
  number.fraction = true;
  text.remove_prefix(decimals);
  return number;
}

std::optional<std::uint64_t> quantity(LimitUnit unit, std::string_view text) {
  const std::optional<Decimal> number = take_decimal(text);
  if (!number) return std::nullopt;
  for (const auto& [name, factor] : units_of(unit)) {
    if (name != text) continue;
    if (number->fraction && factor == 1) return std::nullopt;  // half a byte, a millisecond, a process
    const std::uint64_t part = factor / 1000 * number->thousandths + factor % 1000 * number->thousandths / 1000;
    if (number->whole > (std::numeric_limits<std::uint64_t>::max() - part) / factor) return std::nullopt;
    return number->whole * factor + part;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> within(Limit limit, std::optional<std::uint64_t> value) {
  if (!value || *value < info(limit).min || *value > info(limit).max) return std::nullopt;
  return value;
}

std::string_view what_is(LimitUnit unit) {
  switch (unit) {
    case LimitUnit::bytes:
      return "a size";
    case LimitUnit::milliseconds:
      return "a duration with its unit";
    case LimitUnit::milli_cpus:
      return "a number of processors";
    case LimitUnit::count:
      break;
  }
  return "a whole number";
}

std::string_view examples_of(LimitUnit unit) {
  switch (unit) {
    case LimitUnit::bytes:
      return "such as 512M or 1.5G";
    case LimitUnit::milliseconds:
      return "such as 500ms, 90s, 1.5m or 2h";
    case LimitUnit::milli_cpus:
      return "such as 1.5";
    case LimitUnit::count:
      break;
  }
  return "such as 64";
}

}  // namespace

Result<std::uint64_t> parse_quantity(LimitUnit unit, std::string_view text) {
  if (const auto value = quantity(unit, text)) return *value;
  std::string allowed(what_is(unit));
  return fail(ErrorCode::invalid_argument,
              allowed.append(" was expected, ").append(examples_of(unit)) + ": found " + quote_for_message(text));
}

Result<std::uint64_t> parse_limit(Limit limit, std::string_view text) {
  if (const auto value = within(limit, quantity(info(limit).unit, text))) return *value;
  return fail(ErrorCode::invalid_argument, std::string(info(limit).flag) + ": expected " + allowed_values(limit) +
                                               ", found " + quote_for_message(text));
}

std::string format_quantity(LimitUnit unit, std::uint64_t value) {
  if (unit == LimitUnit::milli_cpus) {
    std::string decimals = std::to_string(1000 + value % 1000).substr(1);
    decimals.erase(decimals.find_last_not_of('0') + 1);
    return std::to_string(value / 1000) + (decimals.empty() ? "" : "." + decimals);
  }
  Unit best = units_of(unit)[0];
  for (const Unit& candidate : units_of(unit)) {
    if (value != 0 && value % candidate.factor == 0 && candidate.factor > best.factor) best = candidate;
  }
  return std::to_string(value / best.factor).append(best.name);
}

std::string allowed_values(Limit limit) {
  const LimitInfo& row = info(limit);
  std::string text(what_is(row.unit));
  text += " from " + format_quantity(row.unit, row.min) + " to " + format_quantity(row.unit, row.max) + ", ";
  return text.append(examples_of(row.unit));
}

std::optional<std::uint64_t> limit_from_json_string(Limit limit, std::string_view text) {
  return within(limit, quantity(info(limit).unit, text));
}

std::optional<std::uint64_t> limit_from_json_number(Limit limit, std::string_view number) {
  const LimitUnit unit = info(limit).unit;
  return within(limit, quantity(unit == LimitUnit::milliseconds ? LimitUnit::count : unit, number));
}

Result<std::uint64_t> limit_from_json(Limit limit, const nlohmann::json& value) {
  std::optional<std::uint64_t> result;
  if (value.is_string()) result = limit_from_json_string(limit, value.get_ref<const std::string&>());
  if (value.is_number()) result = limit_from_json_number(limit, value.dump());
  if (result) return *result;
  return fail(ErrorCode::invalid_argument,
              "expected " + allowed_values(limit) + ", found " + describe_for_message(value));
}

}  // namespace helios::spec
