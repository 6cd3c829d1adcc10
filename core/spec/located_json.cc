#include "core/spec/located_json.h"

#include <utility>

#include "core/spec/json_scanner.h"

namespace helios::spec {
namespace {

class Builder {
 public:
  Builder(JsonScanner& in, LocatedJson& out) : in_(in), out_(out) {}

  bool read(nlohmann::json& value) {
    const JsonKind kind = in_.peek();
    out_.positions.emplace(in_.pointer(), in_.position());
    switch (kind) {
      case JsonKind::object:
        return read_object(value);
      case JsonKind::array:
        return read_array(value);
      case JsonKind::string:
        value = "";
        return in_.read_string(value.get_ref<std::string&>());
      case JsonKind::number:
        return read_number(value);
      case JsonKind::boolean:
        value = false;
        return in_.read_boolean(value.get_ref<bool&>(), "a value");
      default:
        value = nullptr;
        return in_.skip_value();  // null, or it says what is wrong
    }
  }

 private:
  bool read_object(nlohmann::json& value) {
    value = nlohmann::json::object();
    std::string_view name;
    if (!in_.enter_object()) return false;
    while (in_.next_member(name)) {
      if (!read(value[std::string(name)])) return false;
    }
    return in_.ok();
  }

  bool read_array(nlohmann::json& value) {
    value = nlohmann::json::array();
    if (!in_.enter_array()) return false;
    while (in_.next_element()) {
      if (!read(value.emplace_back())) return false;
    }
    return in_.ok();
  }

  /// The text follows the grammar and is finite, so the library reads it without an error.
  bool read_number(nlohmann::json& value) {
    std::string_view number;
    if (!in_.read_number(number)) return false;
    value = nlohmann::json::parse(number, nullptr, false);
    return !value.is_discarded() || in_.reject("a number");
  }

  JsonScanner& in_;
  LocatedJson& out_;
};

}  // namespace

Result<LocatedJson> parse_located_json(std::string_view text, std::string origin, ErrorCode code) {
  LocatedJson out;
  out.origin = std::move(origin);
  JsonScanner scanner(text);
  if (Builder(scanner, out).read(out.root) && scanner.finish()) return out;
  return fail(to_error(scanner.problem().value_or(JsonProblem{}), out.origin, code));
}

Error LocatedJson::problem(std::string_view pointer, std::string_view expected, std::string_view found,
                           ErrorCode code) const {
  std::string_view nearest = pointer;
  auto at = positions.find(nearest);
  while (at == positions.end() && !nearest.empty()) {
    nearest = nearest.substr(0, nearest.rfind('/'));
    at = positions.find(nearest);
  }
  JsonProblem problem;
  if (at != positions.end()) problem.at = at->second;
  problem.pointer = pointer;
  problem.expected = expected;
  problem.found = found;
  if (found.empty()) {
    const nlohmann::json::json_pointer path{std::string(pointer)};
    problem.found = root.contains(path) ? describe_for_message(root.at(path)) : "nothing";
  }
  return to_error(problem, origin, code);
}

}  // namespace helios::spec
