#include "core/executor/bottleneck.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace helios {
namespace {

constexpr double kShortestMs = 100;   // below, start-up noise is all there is
constexpr double kWorthTelling = 10;  // percent of the run time
constexpr double kNearLimit = 10;     // percent left of a limit

struct Candidate {
  double weight{0};  // percent of the run lost; less than any of that for a limit that was nearly reached
  std::string text;
};

std::string percent(double p) { return std::to_string(static_cast<int>(std::lround(p))) + " %"; }

void consider(std::optional<Candidate>& worst, double weight, std::string text) {
  if (!worst || weight > worst->weight) worst = Candidate{weight, std::move(text)};
}

std::optional<std::uint64_t> limit_in_force(const Execution& x, Limit limit) {
  for (const LimitReceipt& l : x.limits) {
    if (l.limit == limit) return l.effective;
  }
  return std::nullopt;
}

/// How long it waited, as a share of the run. Sums over processors are cut at the whole.
void consider_waiting(std::optional<Candidate>& worst, const Execution& x, Figure figure, double duration,
                      const char* before, const char* after) {
  const auto waited = x.usage.get(figure);
  if (!waited) return;
  const double share = std::min(100.0, *waited / duration * 100);
  if (share >= kWorthTelling) consider(worst, share, before + percent(share) + after);
}

/// The kernel slows a run that is above memoryHigh by making it wait for memory, so that pressure tells what it cost.
/// Where pressure is not counted, the number of times is all there is to tell.
void consider_memory(std::optional<Candidate>& worst, const Execution& x, double duration) {
  const auto most = limit_in_force(x, Limit::memory_high);
  const double slowed = most ? x.usage.get(Figure::memory_high_hits).value_or(0) : 0;
  if (slowed == 0) {
    consider_waiting(worst, x, Figure::pressure_memory_ms, duration, "waited for memory ",
                     " of its run time: raise memory");
  } else if (x.usage.get(Figure::pressure_memory_ms)) {
    consider_waiting(worst, x, Figure::pressure_memory_ms, duration, "slowed at memoryHigh for ",
                     " of its run time: raise memoryHigh");
  } else {
    consider(worst, kWorthTelling,
             "slowed at memoryHigh " + std::to_string(std::llround(slowed)) + " times: raise memoryHigh");
  }
}

/// Page cache fills what there is and is given back when it is needed: being full of it holds nobody up. Without the
/// parts (a short run, a runner that does not tell) the peak itself.
std::optional<double> memory_in_need(const ResourceUsage& usage) {
  const auto peak = usage.get(Figure::peak_memory_bytes);
  const auto cache = usage.get(Figure::peak_file_cache_bytes);
  if (!peak || !cache) return peak;
  const double kept =
      usage.get(Figure::peak_anonymous_bytes).value_or(0) + usage.get(Figure::peak_shared_bytes).value_or(0);
  return std::clamp(kept, std::max(0.0, *peak - *cache), *peak);
}

void consider_nearness(std::optional<Candidate>& worst, const Execution& x, std::optional<double> peak, Limit limit,
                       const char* what) {
  const auto most = limit_in_force(x, limit);
  if (!peak || !most || *most == 0) return;
  const double left = std::max(0.0, 100 - *peak / static_cast<double>(*most) * 100);
  // It cost nothing yet: what cost time is told first.
  const double weight = (kNearLimit - left) / kNearLimit * kWorthTelling / 2;
  if (left <= kNearLimit) consider(worst, weight, percent(left) + " below the " + what + " limit at its peak");
}

}  // namespace

std::string bottleneck_of(const Execution& x) {
  const double duration = x.usage.get(Figure::duration_ms).value_or(0);
  if (duration < kShortestMs) return "";
  std::optional<Candidate> worst;
  consider_waiting(worst, x, Figure::throttled_ms, duration, "throttled for ", " of its run time: raise cpus");
  consider_memory(worst, x, duration);
  consider_waiting(worst, x, Figure::pressure_io_ms, duration, "waited for input and output ", " of its run time");
  consider_waiting(worst, x, Figure::pressure_cpu_ms, duration, "waited for a processor ", " of its run time");
  consider_nearness(worst, x, memory_in_need(x.usage), Limit::memory, "memory");
  consider_nearness(worst, x, x.usage.get(Figure::peak_processes), Limit::processes, "process");
  return worst ? worst->text : "";
}

}  // namespace helios
