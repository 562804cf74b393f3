#pragma once

#include <cstdint>
#include <filesystem>

#include <absl/status/status.h>

namespace trove::trovectl {

/// How long a log may get, and how many of its earlier parts are kept (`api.log.1` is the
/// youngest).
struct LogLimits {
  std::uintmax_t bytes = std::uintmax_t{10} << 20;
  int kept = 3;
};

/// When a log is longer than its limit, puts what it holds aside and begins it anew. For files that
/// their writers append to (O_APPEND) and keep open: they need not know. What is written in the
/// moment between the last look and the cut is lost, at most a few lines. A file that is not there
/// is no error. Errors: those of the file system; the log is as it was then.
absl::Status RotateLog(const std::filesystem::path& file, const LogLimits& limits);

}  // namespace trove::trovectl
