#pragma once

#include <filesystem>
#include <string>

#include "libtrove/base/unique_fd.h"

namespace trove::trovectl {

/// Where the launcher says what it does: to whoever waits for it, and with the time to its log.
/// Used by one thread.
class Terminal {
 public:
  /// Says it on `fd` (not owned; -1: nowhere).
  explicit Terminal(int fd) : fd_(fd) {}

  /// From now on into this file as well. A file that cannot be opened is no error.
  void LogTo(const std::filesystem::path& file);

  void Line(const std::string& text);

  /// Nobody listens any longer.
  void Leave() { fd_ = -1; }

 private:
  int fd_;
  UniqueFd log_;
};

}  // namespace trove::trovectl
