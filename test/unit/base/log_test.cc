#include "libtrove/base/log.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "test/unit/base/captured_output.h"

namespace trove {
namespace {

namespace json = boost::json;

// Every line that `write` logs, parsed.
template <class F>
std::vector<json::object> LinesOf(F write) {
  CapturedOutput captured(STDERR_FILENO);
  write();
  const std::string text = captured.Take();
  std::vector<json::object> lines;
  std::size_t start = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', start)) {
    lines.push_back(json::parse(text.substr(start, end - start)).as_object());
    start = end + 1;
  }
  REQUIRE(start == text.size());  // nothing but whole lines
  return lines;
}

json::value Logged(const LogValue& value) {
  StartLogging("api", LogLevel::kInfo);
  return LinesOf([&] { Log().Info("x", {{"field", value}}); }).at(0).at("field");
}

TEST_CASE("a line is one JSON object with its context and fields", "[unit][base]") {
  StartLogging("api", LogLevel::kInfo);
  const Log log = Log().With("instance", "i1").With("attempt", 2);
  const auto lines = LinesOf([&] {
    log.Warning("backup is slow", {{"bytes", std::uint64_t{1} << 63}, {"final", false}});
    Log().Error("nothing bound");
  });
  REQUIRE(lines.size() == 2);
  const json::object& line = lines[0];
  CHECK(line.at("level") == "warning");
  CHECK(line.at("service") == "api");
  CHECK(line.at("message") == "backup is slow");
  CHECK(line.at("instance") == "i1");
  CHECK(line.at("attempt") == 2);
  CHECK(line.at("bytes").as_uint64() == std::uint64_t{1} << 63);
  CHECK(line.at("final") == false);
  CHECK(line.at("time").as_string().size() == std::string("2026-01-02T03:04:05.678901Z").size());
  CHECK(lines[1].at("level") == "error");
  CHECK(lines[1].size() == 4);
}

TEST_CASE("lines below the level are not written", "[unit][base]") {
  const auto [name, want] = GENERATE(table<std::string, std::size_t>({
      {"debug", 4},
      {"info", 3},
      {"warning", 2},
      {"error", 1},
  }));
  LogLevel level{};
  REQUIRE(ParseLogLevel(name, &level).ok());
  StartLogging("api", level);
  CHECK(LinesOf([] {
          Log().Debug("d");
          Log().Info("i");
          Log().Warning("w");
          Log().Error("e");
        }).size() == want);
}

TEST_CASE("an unknown level is refused by name", "[unit][base]") {
  LogLevel level = LogLevel::kError;
  const absl::Status status = ParseLogLevel("INFO", &level);
  CHECK(absl::IsInvalidArgument(status));
  CHECK(std::string(status.message()).find("INFO") != std::string::npos);
  CHECK(level == LogLevel::kError);
}

TEST_CASE("any text survives a line", "[unit][base]") {
  const std::string text = GENERATE(std::string("plain"),
                                    std::string("\"quoted\" and \\ back"),
                                    std::string("two\nlines\r\n\ttab"),
                                    std::string("nul \0 inside", 12),
                                    std::string("\x01\x1f\x7f"),
                                    std::string("Größe € 𝄞"),
                                    std::string());
  CHECK(Logged(text) == json::value(text));
}

TEST_CASE("bytes that are not UTF-8 are replaced", "[unit][base]") {
  const auto [text, want] = GENERATE(table<std::string, std::string>({
      {"a\xff z", "a\uFFFD z"},
      {"cut \xe2\x82", "cut \uFFFD\uFFFD"},
      {"overlong \xc0\xaf", "overlong \uFFFD\uFFFD"},
      {"overlong \xe0\x80\xaf", "overlong \uFFFD\uFFFD\uFFFD"},
      {"surrogate \xed\xa0\x80", "surrogate \uFFFD\uFFFD\uFFFD"},
      {"beyond \xf4\x90\x80\x80", "beyond \uFFFD\uFFFD\uFFFD\uFFFD"},
      {"\xe2\x28\xa1", "\uFFFD(\uFFFD"},
  }));
  CHECK(Logged(text) == json::value(want));
}

TEST_CASE("numbers keep their value and flags are flags", "[unit][base]") {
  CHECK(Logged(std::numeric_limits<std::int64_t>::min()) ==
        json::value(std::numeric_limits<std::int64_t>::min()));
  CHECK(Logged(std::numeric_limits<std::uint64_t>::max()) ==
        json::value(std::numeric_limits<std::uint64_t>::max()));
  CHECK(Logged(0.1).as_double() == 0.1);
  CHECK(Logged(1e300).as_double() == 1e300);
  CHECK(Logged(std::nan("")).is_null());
  CHECK(Logged(std::numeric_limits<double>::infinity()).is_null());
  CHECK(Logged(true) == true);
  CHECK(Logged(absl::NotFoundError("no b7")) == "NOT_FOUND: no b7");
}

TEST_CASE("lines of many threads do not mix", "[unit][base]") {
  StartLogging("api", LogLevel::kInfo);
  const std::string long_text(3000, 'x');
  const auto lines = LinesOf([&] {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, log = Log().With("thread", i)] {
        for (int n = 0; n < 50; ++n)
          log.Info("busy", {{"text", long_text}});
      });
    }
  });
  CHECK(lines.size() == 200);
}

}  // namespace
}  // namespace trove
