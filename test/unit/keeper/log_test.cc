#include "agents/keeper/log.h"

#include <string>

#include <catch2/catch.hpp>

namespace trove::keeper {
namespace {

TEST_CASE("a log line is one JSON object whatever is in it", "[unit][keeper]") {
  CHECK(LogLine(1795364632042, Level::kInfo, "started", {{"pid", "7"}}) ==
        R"({"time":"2026-11-22T16:23:52.042Z","level":"info","service":"keeper",)"
        R"("message":"started","pid":"7"})");
  CHECK(LogLine(0, Level::kError, "a\"b\\c\nd\te\xff", {}) ==
        R"({"time":"1970-01-01T00:00:00.000Z","level":"error","service":"keeper",)"
        R"("message":"a\"b\\c\nd?e?"})");
}

}  // namespace
}  // namespace trove::keeper
