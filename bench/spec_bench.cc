/// What checking a spec of a million chunks costs, against a bare nlohmann sax_parse that does nothing.
///
///   spec_bench            a 1,000,000-chunk spec is made in $TMPDIR, read five times by each in turn
///   spec_bench CHUNKS
///
/// Prints the medians, their ratio, and the growth of the peak resident size by one read of ours (VmHWM, in a child of
/// its own, so that nothing else counts). Each side opens the file and reads it from the page cache.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/spec/job_spec_reader.h"
#include "core/spec/worker_result_json.h"

namespace {

using helios::spec::ChunkFilter;

void write_spec(const std::string& path, std::uint64_t chunks, bool with_id) {
  std::ofstream out(path);
  out << "{\n"
      << (with_id ? "  \"id\": \"bench\",\n" : "") << "  \"metadata\": {\"totalFrames\": " << chunks * 30
      << ", \"fps\": 30, \"width\": 1920, \"height\": 1080, \"duration\": " << chunks << "},\n  \"chunks\": [";
  for (std::uint64_t i = 0; i < chunks; ++i) {
    const std::string n = std::to_string(i);
    out << (i == 0 ? "\n" : ",\n") << "    {\"id\": " << n << ", \"startFrame\": " << i * 30
        << ", \"frameCount\": 30, \"outputFile\": \"out/part_" << n
        << ".mov\", \"command\": \"helios render comps/composition.html -o out/part_" << n << ".mov --start-frame "
        << i * 30 << " --frame-count 30 --width 1920 --height 1080 --fps 30\"}";
  }
  out << "\n  ],\n  \"mergeCommand\": \"helios merge out/all.mp4\"\n}\n";
}

struct DoNothing : nlohmann::json_sax<nlohmann::json> {
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }
};

void check(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "spec_bench: %s\n", what);
  std::exit(1);
}

void read_ours(const std::string& path, std::uint64_t chunk) {
  const auto file = helios::spec::open_spec_file(path);
  check(file.has_value(), "cannot open the spec");
  const auto job = helios::spec::read_job_spec(*file, ChunkFilter{{chunk}});
  check(job && job->chunks.size() == 1, job ? "the chunk is missing" : job.error().message.c_str());
}

void read_nlohmann(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const auto size = static_cast<std::size_t>(lseek(fd, 0, SEEK_END));
  void* const map = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  check(map != MAP_FAILED, "cannot map the spec");
  const char* const text = static_cast<const char*>(map);
  DoNothing nothing;
  check(nlohmann::json::sax_parse(text, text + size, &nothing), "nlohmann refuses the spec");
  munmap(map, size);
  close(fd);
}

template <class F>
double milliseconds(F&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Peak resident KiB of a child that does `work`.
template <class F>
long peak_kib(F&& work) {
  const pid_t pid = fork();
  if (pid == 0) {
    work();
    _exit(0);
  }
  rusage usage{};
  int status = 0;
  check(wait4(pid, &status, 0, &usage) == pid && status == 0, "the child failed");
  return usage.ru_maxrss;
}

void bench_spec(const std::string& path, std::uint64_t chunks, bool with_id) {
  write_spec(path, chunks, with_id);
  std::ifstream size(path, std::ios::ate);
  const double mebibytes = static_cast<double>(size.tellg()) / 1048576;
  std::vector<double> ours;
  std::vector<double> theirs;
  for (int round = 0; round < 5; ++round) {
    ours.push_back(milliseconds([&] { read_ours(path, chunks / 2); }));
    theirs.push_back(milliseconds([&] { read_nlohmann(path); }));
  }
  const long base = peak_kib([] {});
  const long peak = peak_kib([&] { read_ours(path, chunks / 2); });
  std::printf("%llu chunks, %.0f MiB, %s id: ours %.0f ms, nlohmann %.0f ms, ratio %.2f, peak +%.1f MiB\n",
              static_cast<unsigned long long>(chunks), mebibytes, with_id ? "with" : "without", median(ours),
              median(theirs), median(ours) / median(theirs), static_cast<double>(peak - base) / 1024);
}

void bench_result() {
  helios::WorkerResult result;
  for (std::size_t i = 0; i < (8u << 20); ++i) result.out.text += "line of output\n\t\"\xC3\xA9"[i % 18];
  result.err.text = result.out.text;
  std::vector<double> ours;
  std::vector<double> theirs;
  for (int round = 0; round < 5; ++round) {
    ours.push_back(milliseconds([&] { check(helios::spec::to_json(result).size() > (16u << 20), "too short"); }));
    theirs.push_back(milliseconds([&] {
      const nlohmann::json value{{"stdout", result.out.text}, {"stderr", result.err.text}};
      check(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).size() > (16u << 20), "too short");
    }));
  }
  std::printf("result with 2 x 8 MiB: ours %.1f ms, nlohmann dump %.1f ms, ratio %.2f\n", median(ours), median(theirs),
              median(ours) / median(theirs));
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t chunks = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000000;
  const char* const folder = std::getenv("TMPDIR");
  const std::string path = std::string(folder != nullptr ? folder : "/tmp") + "/spec_bench." + std::to_string(getpid());
  bench_spec(path, chunks, true);
  bench_spec(path, chunks, false);
  std::remove(path.c_str());
  bench_result();
}
