#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/call.h"

namespace trove::trovectl {

/// One process for ever: a pid alone is given out again.
struct ProcessMark {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  std::string boot_id;
  std::string program;  ///< file name of what it runs

  friend bool operator==(const ProcessMark&, const ProcessMark&) = default;
};

/// Of a process that lives. Errors: kNotFound: it does not.
absl::StatusOr<ProcessMark> MarkProcess(pid_t pid);

/// A mark as one line, and back. Errors: kInvalidArgument.
std::string MarkText(const ProcessMark& mark);
absl::StatusOr<ProcessMark> ParseMark(const std::string& text);

/// Whether exactly this process lives, and runs its program (a zombie does not live).
bool IsAlive(const ProcessMark& mark);

/// Ends what the pid file `file` names: SIGTERM, SIGKILL after `grace`. Removes the file. OK also
/// when there is no such file or process. True: there was a process to end. Errors: kInternal: it
/// does not die.
absl::StatusOr<bool> EndLeftover(const std::filesystem::path& file, absl::Duration grace);

}  // namespace trove::trovectl
