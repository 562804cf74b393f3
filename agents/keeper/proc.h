#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agents/keeper/clock.h"

namespace trove::keeper {

/// What /proc/<pid>/stat says that we need.
struct ProcStat {
  char state = '?';  ///< Z: has ended and is not reaped
  pid_t parent = 0;
  std::uint64_t start_ticks = 0;

  friend bool operator==(const ProcStat&, const ProcStat&) = default;
};

/// Reads the text of a stat file (proc(5)). The program's name in it may hold anything.
std::optional<ProcStat> ParseProcStat(std::string_view text);

/// Empty when there is no such process.
std::optional<ProcStat> ReadProcStat(pid_t pid);

/// The living and dead-but-not-reaped children of this process, those it inherited included.
std::vector<pid_t> ChildrenOfSelf();

/// The kernel's id of this boot; empty when /proc is not there.
std::string ReadBootId();

/// How long a process that started at `start_ticks` has been there.
BootTime AgeOf(std::uint64_t start_ticks);

/// A whole small file, or empty. At most `most` bytes, else empty.
std::optional<std::string> ReadSmallFile(const std::string& path, std::size_t most);

}  // namespace trove::keeper
