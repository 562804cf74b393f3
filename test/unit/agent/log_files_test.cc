#include "libtrove/agent/log_files.h"

#include <fstream>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "test/support/temporary_directory.h"

namespace trove::agent {
namespace {

TEST_CASE("a log begins anew when it is too large, and its two predecessors stay",
          "[unit][agent]") {
  const TemporaryDirectory folder;
  std::ofstream log(folder / "server.log", std::ios::app);
  for (const char* text : {"first", "second", "third", "last"}) {
    log << text << std::flush;
    REQUIRE(BoundLogs(folder.path(), 4).ok());
  }
  CHECK(ReadFile(folder / "server.log").value_or("none") == "last");
  CHECK(ReadFile(folder / "server.log.1").value_or("none") == "third");
  CHECK(ReadFile(folder / "server.log.2").value_or("none") == "second");
  CHECK_FALSE(std::filesystem::exists(folder / "server.log.3"));
}

TEST_CASE("what is no log, or is small, is left alone", "[unit][agent]") {
  const TemporaryDirectory folder;
  REQUIRE(WriteFileAtomically(folder / "settings", "long enough", 0600).ok());
  REQUIRE(WriteFileAtomically(folder / "small.log", "tiny", 0600).ok());
  std::filesystem::create_symlink(folder / "settings", folder / "link.log");
  CHECK(BoundLogs(folder.path(), 4).ok());
  CHECK(ReadFile(folder / "settings").value_or("none") == "long enough");
  CHECK(ReadFile(folder / "small.log").value_or("none") == "tiny");
  CHECK_FALSE(std::filesystem::exists(folder / "small.log.1"));
}

}  // namespace
}  // namespace trove::agent
