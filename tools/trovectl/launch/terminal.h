#pragma once

#include <filesystem>
#include <string>

#include "libtrove/base/unique_fd.h"

namespace trove::trovectl {

/// Where the launcher says what it does: to whoever waits for it, and with the time to its log.
/// Used by one thread.
class Terminal {
 public:
  /// Says it on `out`, and what went wrong on `error` (not owned; -1: nowhere).
  Terminal(int out, int error) : out_(out), error_(error) {}

  /// From now on into this file as well. A file that cannot be opened is no error.
  void LogTo(const std::filesystem::path& file);

  void Line(const std::string& text) { Say(out_, text); }
  void Error(const std::string& text) { Say(error_, text); }

  /// Nobody listens any longer.
  void Leave() { out_ = error_ = -1; }

 private:
  void Say(int fd, const std::string& text);

  int out_;
  int error_;
  UniqueFd log_;
};

}  // namespace trove::trovectl
