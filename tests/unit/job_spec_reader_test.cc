#include "core/spec/job_spec_reader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/digest/sha256.h"

namespace helios::spec {
namespace {

using namespace std::string_literals;

const std::string kChunk = R"({"id":0,"startFrame":1,"frameCount":2,"outputFile":"o.mov","command":"true"})";

Result<JobSpec> read(const std::string& text, const ChunkFilter& filter = {{}, true}) {
  return read_job_spec(SpecBytes{text, "s.json"}, filter);
}

std::string message(const std::string& text, const ChunkFilter& filter = {{}, true}) {
  const auto job = read(text, filter);
  return job ? "good" : job.error().message;
}

/// The message about a job of one chunk whose member `name` is `value`.
std::string with_member(const std::string& name, const std::string& value) {
  const nlohmann::json chunk = nlohmann::json::parse(kChunk);
  std::string members;
  for (const auto& [key, member] : chunk.items()) {
    if (key != name) members += ",\"" + key + "\":" + member.dump();
  }
  return message("{\"chunks\":[{\"" + name + "\":" + value + members + "}]}");
}

std::string with_job_member(const std::string& name, const std::string& value) {
  return message("{\"" + name + "\":" + value + ",\"chunks\":[]}");
}

TEST(ReadJobSpec, AcceptsEverySpecHeliosEmits) {
  int specs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(HELIOS_SOURCE_DIR "/tests/data/specs")) {
    std::ifstream file(entry.path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto job = read(text);
    ASSERT_TRUE(job) << job.error().message;
    const auto json = nlohmann::json::parse(text);
    ASSERT_EQ(job->chunk_count, json.at("chunks").size());
    EXPECT_EQ(job->merge_command, json.at("mergeCommand").get<std::string>());
    EXPECT_EQ(job->metadata.fps, json.at("metadata").at("fps").get<double>());
    EXPECT_EQ(job->metadata.total_frames, json.at("metadata").at("totalFrames").get<double>());
    EXPECT_EQ(job->id, "job-" + digest::sha256_hex(text).substr(0, 16));
    for (std::size_t i = 0; i < job->chunks.size(); ++i) {
      EXPECT_EQ(job->chunks[i].id, json.at("chunks")[i].at("id").get<std::uint64_t>());
      EXPECT_EQ(job->chunks[i].start_frame, json.at("chunks")[i].at("startFrame").get<std::uint64_t>());
      EXPECT_EQ(job->chunks[i].frame_count, json.at("chunks")[i].at("frameCount").get<std::uint64_t>());
      EXPECT_EQ(job->chunks[i].output_file, json.at("chunks")[i].at("outputFile").get<std::string>());
      EXPECT_EQ(job->chunks[i].command, json.at("chunks")[i].at("command").get<std::string>());
    }
    ++specs;
  }
  EXPECT_EQ(specs, 16);
}

TEST(ReadJobSpec, ReadsEveryField) {
  const auto job = read(R"({
    "id": "j\u00f6b", "assetsUrl": "https://a/", "mergeCommand": "merge", "unknown": [{"a": null}],
    "metadata": {"totalFrames": 60, "fps": 29.97, "width": 640, "height": 360, "duration": 2e0, "more": {}},
    "resources": {"memory": "512M", "cpus": 1.5, "wallTime": "90s"}, "env": {"A": "1", "_b2": ""}, "shell": true,
    "sandbox": "shell", "policy": "none",
    "chunks": [{"id": 7, "startFrame": 0, "frameCount": 9007199254740991, "outputFile": "../out/a.mov",
                "command": " helios \"x y\"", "resources": {"memory": 1073741824, "cpuTime": 1500, "processes": 64},
                "env": {"A": "2"}, "shell": false},
               {"id": 3, "startFrame": 0, "frameCount": 0, "outputFile": "b", "command": "true"}]})");
  ASSERT_TRUE(job) << job.error().message;
  EXPECT_EQ(job->id,
            "j\xC3\xB6"
            "b");
  EXPECT_EQ(job->assets_url, "https://a/");
  EXPECT_EQ(job->merge_command, "merge");
  EXPECT_EQ(job->metadata, (JobMetadata{60, 29.97, 640, 360, 2}));
  EXPECT_EQ(job->overrides.resources[Limit::memory], 512U << 20);
  EXPECT_EQ(job->overrides.resources[Limit::cpus], 1500U);
  EXPECT_EQ(job->overrides.resources[Limit::wall_time], 90000U);
  EXPECT_EQ(job->overrides.resources[Limit::swap], std::nullopt);
  EXPECT_EQ(job->overrides.env, (std::vector<EnvVar>{{"A", "1"}, {"_b2", ""}}));
  EXPECT_EQ(job->overrides.shell, true);
  ASSERT_EQ(job->chunks.size(), 2U);
  const Chunk& first = job->chunks[0];
  EXPECT_EQ(first.id, 7U);
  EXPECT_EQ(first.frame_count, 9007199254740991U);
  EXPECT_EQ(first.output_file, "../out/a.mov");
  EXPECT_EQ(first.command, " helios \"x y\"");
  EXPECT_EQ(first.overrides.resources[Limit::memory], 1U << 30);
  EXPECT_EQ(first.overrides.resources[Limit::cpu_time], 1500U);
  EXPECT_EQ(first.overrides.resources[Limit::processes], 64U);
  EXPECT_EQ(first.overrides.env, (std::vector<EnvVar>{{"A", "2"}}));
  EXPECT_EQ(first.overrides.shell, false);
  EXPECT_EQ(job->chunks[1].overrides, SpecOverrides{}) << "the first chunk's additions stay with it";
}

TEST(ReadJobSpec, KeepsTheChunksAskedForInTheOrderOfTheFile) {
  std::string text = "{\"chunks\":[";
  for (int id : {4, 2, 9, 0}) {
    text += (id == 4 ? "" : ",") + std::string(kChunk).replace(6, 1, std::to_string(id));
  }
  text += "]}";
  const auto job = read(text, ChunkFilter{{0, 2}, false});
  ASSERT_TRUE(job) << job.error().message;
  EXPECT_EQ(job->chunk_count, 4U);
  ASSERT_EQ(job->chunks.size(), 2U);
  EXPECT_EQ(job->chunks[0].id, 2U);
  EXPECT_EQ(job->chunks[1].id, 0U);
  EXPECT_EQ(message(text, ChunkFilter{{1}, false}), "s.json: there is no chunk 1: its ids are 0, 2, 4, 9");
  EXPECT_EQ(read(text, ChunkFilter{{1}, false}).error().code, ErrorCode::not_found);
}

TEST(ReadJobSpec, AcceptsNoChunksUntilOneIsAskedFor) {
  EXPECT_EQ(message("{\"chunks\":[]}"), "good");
  EXPECT_EQ(message("{\"chunks\":[]}", ChunkFilter{{0}, false}), "s.json: there is no chunk 0: it has none");
}

TEST(ReadJobSpec, NamesAtMostTenRangesOfIds) {
  std::string text;
  for (int id = 10; id < 90; id += 2) text += ',' + std::string(kChunk).replace(6, 1, std::to_string(id));
  EXPECT_EQ(message("{\"chunks\":[" + text.substr(1) + "]}", ChunkFilter{{5}, false}),
            "s.json: there is no chunk 5: its ids are 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, …");
}

TEST(ReadJobSpec, GivesAJobIdOfItsContentWhenThereIsNone) {
  const std::string text = "{\"chunks\":[]}";
  EXPECT_EQ(read(text)->id, "job-" + digest::sha256_hex(text).substr(0, 16));
  EXPECT_EQ(read("{\"id\":\"x\",\"chunks\":[]}")->id, "x");
}

TEST(ReadJobSpec, RefusesWrongTypesOfTheJobsMembers) {
  EXPECT_EQ(message("[]"), "s.json:1:1: expected a job (an object), found an array");
  EXPECT_EQ(message("null"), "s.json:1:1: expected a job (an object), found null");
  EXPECT_EQ(message("   "), "s.json:1:4: expected a job (an object), found the end of the text");
  EXPECT_EQ(message("{}"), "s.json:1:2: expected a member \"chunks\", found the end of the object");
  EXPECT_EQ(message("{\"chunks\":{}}"), "s.json:1:11: /chunks: expected an array of chunks, found an object");
  EXPECT_EQ(message("{\"chunks\":[7]}"), "s.json:1:12: /chunks/0: expected a chunk (an object), found number 7");
  EXPECT_EQ(with_job_member("id", "7"), "s.json:1:7: /id: expected a string, found number 7");
  EXPECT_EQ(with_job_member("id", "null"), "s.json:1:7: /id: expected a string, found null");
  EXPECT_EQ(with_job_member("id", "\"\""), "s.json:1:7: /id: expected a string that is not empty, found string \"\"");
  EXPECT_EQ(with_job_member("assetsUrl", "[]"), "s.json:1:14: /assetsUrl: expected a string, found an array");
  EXPECT_EQ(with_job_member("mergeCommand", "true"), "s.json:1:17: /mergeCommand: expected a string, found true");
  EXPECT_EQ(with_job_member("metadata", "\"x\""), "s.json:1:13: /metadata: expected an object, found string \"x\"");
  EXPECT_EQ(with_job_member("metadata", "{\"fps\":-1}"),
            "s.json:1:20: /metadata/fps: expected a number that is not negative, found number -1");
  EXPECT_EQ(with_job_member("metadata", "{\"width\":\"640\"}"),
            "s.json:1:22: /metadata/width: expected a number that is not negative, found string \"640\"");
  EXPECT_EQ(with_job_member("resources", "[]"), "s.json:1:14: /resources: expected an object, found an array");
  EXPECT_EQ(with_job_member("env", "1"), "s.json:1:8: /env: expected an object, found number 1");
  EXPECT_EQ(with_job_member("shell", "1"), "s.json:1:10: /shell: expected true or false, found number 1");
  EXPECT_EQ(with_job_member("shell", "\"true\""), "s.json:1:10: /shell: expected true or false, found string \"true\"");
}

TEST(ReadJobSpec, RefusesWrongTypesOfAChunksMembers) {
  const std::string integer = "expected a plain whole number from 0 to 9007199254740991, found ";
  for (const char* name : {"id", "startFrame", "frameCount"}) {
    const std::string at = "s.json:1:" + std::to_string(16 + std::strlen(name)) + ": /chunks/0/" + name + ": ";
    for (const char* number : {"1.0", "1e2", "-1", "-0", "0.5", "9007199254740992", "18446744073709551616"}) {
      EXPECT_EQ(with_member(name, number), at + integer + "number " + number);
    }
    EXPECT_EQ(with_member(name, "\"0\""), at + integer + "string \"0\"");
    EXPECT_EQ(with_member(name, "null"), at + integer + "null");
    EXPECT_EQ(with_member(name, "true"), at + integer + "true");
    EXPECT_EQ(with_member(name, "9007199254740991"), "good");
  }
  EXPECT_EQ(with_member("command", "7"), "s.json:1:23: /chunks/0/command: expected a string, found number 7");
  EXPECT_EQ(with_member("command", "\" \\t\\u00a0\""),
            "s.json:1:23: /chunks/0/command: expected a command that is not blank, found string \" \\t\\u00a0\"");
  EXPECT_EQ(with_member("command", "\"a\\u0000b\""),
            "s.json:1:23: /chunks/0/command: expected a string without NUL characters, found string \"a\\u0000b\"");
  EXPECT_EQ(with_member("outputFile", "{}"), "s.json:1:26: /chunks/0/outputFile: expected a string, found an object");
  EXPECT_EQ(with_member("outputFile", "\"\""),
            "s.json:1:26: /chunks/0/outputFile: expected a path that is not empty, found string \"\"");
  EXPECT_EQ(with_member("shell", "null"), "s.json:1:21: /chunks/0/shell: expected true or false, found null");
  EXPECT_EQ(with_member("env", "{\"A\":1}"), "s.json:1:24: /chunks/0/env/A: expected a string, found number 1");
  EXPECT_EQ(with_member("env", "{\"A-B\":\"\"}"),
            "s.json:1:20: /chunks/0/env/A-B: expected a variable's name (letters, digits, _), found \"A-B\"");
  EXPECT_EQ(with_member("resources", "{\"memory\":\"4K\"}"),
            "s.json:1:35: /chunks/0/resources/memory: expected a size from 1M to 1048576T, such as 512M or 1.5G, "
            "found string \"4K\"");
  EXPECT_EQ(with_member("resources", "{\"memroy\":\"1G\"}"),
            "s.json:1:35: /chunks/0/resources/memroy: expected a limit such as \"memory\", found the unknown \"memroy\"");
  EXPECT_EQ(with_member("resources", "{\"wallTime\":\"90\"}"),
            "s.json:1:37: /chunks/0/resources/wallTime: expected a duration with its unit from 1ms to 8784h, such as "
            "500ms, 90s, "
            "1.5m or 2h, found string \"90\"");
  EXPECT_EQ(with_member("resources", "{\"processes\":-1}"),
            "s.json:1:38: /chunks/0/resources/processes: expected a whole number from 1 to 4194304, such as 64, found "
            "number -1");
}

TEST(ReadJobSpec, RefusesEveryWrongLimit) {
  for (const LimitInfo& row : kLimits) {
    for (const char* bad :
         {"true", "null", "[]", "{}", "\"\"", "\"-1\"", "-1", "1e300", "\"1 M\"", "99999999999999999999"}) {
      const std::string text = with_job_member("resources", "{\"" + std::string(row.key) + "\":" + bad + "}");
      EXPECT_NE(text.find(": /resources/" + std::string(row.key) + ": expected "), std::string::npos) << text;
    }
  }
}

TEST(ReadJobSpec, RefusesAMissingMember) {
  for (const char* name : {"id", "startFrame", "frameCount", "outputFile", "command"}) {
    nlohmann::json chunk = nlohmann::json::parse(kChunk);
    chunk.erase(name);
    const std::string text = "{\"chunks\":[" + chunk.dump() + "]}";
    EXPECT_EQ(message(text), "s.json:1:" + std::to_string(text.size() - 2) + ": /chunks/0: expected a member \"" +
                                 name + "\", found the end of the object");
  }
}

TEST(ReadJobSpec, RefusesDuplicates) {
  EXPECT_EQ(message("{\"chunks\":[" + kChunk + ",\n" + kChunk + "]}"),
            "s.json:2:7: /chunks/1/id: expected an id no other chunk has, found 0 again");
  EXPECT_EQ(message("{\"chunks\":[],\n\"chunks\":[]}"),
            "s.json:2:1: /chunks: expected each name once in an object, found \"chunks\" again");
  EXPECT_EQ(with_member("x", "{\"a\":1,\"\\u0061\":2}"),
            "s.json:1:24: /chunks/0/x/a: expected each name once in an object, found \"a\" again");
}

TEST(ReadJobSpec, RefusesWhatIsNoText) {
  EXPECT_EQ(message("{\"chunks\":[]\0}"s), "s.json:1:13: expected ',' or '}', found '\\x00'");
  EXPECT_EQ(message("{\"chunks\":[]}\0"s), "s.json:1:14: expected nothing after the document's end, found '\\x00'");
  EXPECT_EQ(with_member("x", "\"\xFF\""), "s.json:1:18: /chunks/0/x: expected valid UTF-8, found byte 0xff");
  EXPECT_EQ(message("{\"chunks\":[]} {}"), "s.json:1:15: expected nothing after the document's end, found an object");
  EXPECT_EQ(with_member("x", "NaN"), "s.json:1:17: /chunks/0/x: expected a value, found NaN");
}

TEST(ReadJobSpec, RefusesATextCutAnywhereEvenAfterTheChunk) {
  const std::string text = "{\"chunks\": [" + kChunk +
                           "], \"metadata\": {\"fps\": 30, \"x\": \"\\ud83c\\udfac \xC3\xA9\"}, \"y\": [true, null]}";
  ASSERT_EQ(message(text, ChunkFilter{{0}, false}), "good");
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto job = read(text.substr(0, size), ChunkFilter{{0}, false});
    ASSERT_FALSE(job) << size;
    EXPECT_EQ(job.error().code, ErrorCode::invalid_spec);
    EXPECT_EQ(job.error().message.find('\n'), std::string::npos);
  }
}

TEST(ReadJobSpec, RefusesDeepNestingAndLongStrings) {
  EXPECT_NE(message("{\"x\":" + std::string(100000, '[')).find("expected at most 64 levels of nesting, found one more"),
            std::string::npos);
  EXPECT_EQ(with_member("command", '"' + std::string(200 << 20, 'x') + '"'),
            "s.json:1:23: /chunks/0/command: expected a string of at most 1048576 bytes, found a longer one");
}

TEST(ReadJobSpec, BoundsTheEnvironment) {
  std::string env =
      "{\"A\":\"" + std::string(kMaxEnvBytes / 2, 'x') + "\",\"B\":\"" + std::string(kMaxEnvBytes / 2, 'x') + "\"}";
  EXPECT_NE(with_job_member("env", env).find("/env/B: expected variables of at most 1048576 bytes, found more"),
            std::string::npos);
}

TEST(ReadJobSpec, EscapesWhatAMessageMustNotHold) {
  const auto job = read_job_spec(SpecBytes{"{\"\\u001b[31m\xE2\x80\xAE\":x}", "a\nb\x1B.json"}, ChunkFilter{});
  EXPECT_EQ(job.error().message, "a\\nb\\x1b.json:1:16: /\\x1b[31m\\xe2\\x80\\xae: expected a value, found x");
}

}  // namespace
}  // namespace helios::spec
