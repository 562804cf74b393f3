#include "tools/trovectl/launch/log_rotation.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "libtrove/base/unique_fd.h"
#include "test/support/temporary_directory.h"

namespace trove::trovectl {
namespace {

void Append(int fd, const std::string& text) {
  REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

TEST_CASE("a log that is too long is put aside, and its writer goes on", "[unit][trovectl]") {
  const TemporaryDirectory folder;
  const std::filesystem::path file = folder / "api.log";
  const LogLimits limits{.bytes = 10, .kept = 2};
  CHECK(RotateLog(file, limits).ok());  // there is none
  const UniqueFd writer(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  Append(writer.get(), "0123456789");
  REQUIRE(RotateLog(file, limits).ok());
  CHECK(ReadFile(file).value() == "0123456789");  // not longer than it may be

  for (const char* text : {"a", "bbbbbbbbbbb", "ccccccccccc"}) {
    Append(writer.get(), text);
    REQUIRE(RotateLog(file, limits).ok());
    CHECK(ReadFile(file).value().empty());
  }
  CHECK(ReadFile(file.string() + ".1").value() == "ccccccccccc");
  CHECK(ReadFile(file.string() + ".2").value() == "bbbbbbbbbbb");
  CHECK_FALSE(std::filesystem::exists(file.string() + ".3"));
  CHECK_FALSE(std::filesystem::exists(file.string() + ".new"));
}

TEST_CASE("lines that are written meanwhile stay whole and in order", "[unit][trovectl]") {
  const TemporaryDirectory folder;
  const std::filesystem::path file = folder / "api.log";
  const LogLimits limits{.bytes = 20'000, .kept = 100};
  constexpr int kLines = 40'000;
  std::atomic<bool> written = false;
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  std::jthread writer([&] {
    for (int i = 0; i < kLines; ++i) {
      const std::string line = std::to_string(i) + "\n";
      [[maybe_unused]] const ssize_t done = ::write(fd.get(), line.data(), line.size());
    }
    written = true;
  });
  while (!written)
    REQUIRE(RotateLog(file, limits).ok());
  writer.join();
  Append(fd.get(), std::to_string(kLines) + "\n");

  std::string all;
  for (int number = limits.kept; number >= 1; --number)
    all += ReadFile(file.string() + "." + std::to_string(number)).value_or("");
  all += ReadFile(file).value();
  std::istringstream lines(all);
  int kept = 0;
  int last = -1;
  bool in_order = true;
  for (std::string line; std::getline(lines, line); ++kept) {
    in_order = in_order && std::stoi(line) > last;
    last = std::stoi(line);
  }
  CHECK(in_order);
  CHECK(last == kLines);
  // A writer that never rests loses what it writes while this thread has no processor.
  CHECK(kept > kLines / 2);
}

}  // namespace
}  // namespace trove::trovectl
