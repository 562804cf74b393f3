#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/base/call.h"

namespace trove {

/// How to start a program (argv is not empty). Nothing is inherited but what is named: the
/// environment is `environment` alone, descriptors above 2 are closed, stdin is /dev/null.
struct ProgramSpec {
  std::vector<std::string> argv;         ///< argv[0] is the path of the program
  std::vector<std::string> environment;  ///< "NAME=value"
  std::filesystem::path output;  ///< stdout and stderr are appended here; empty: the caller's own
  bool new_session = false;      ///< setsid: survives a signal to the caller's process group
};

/// Starts a program by posix_spawn and returns its pid, which the caller reaps.
/// Errors: kNotFound: no such program; kPermissionDenied; else as ErrnoStatus.
absl::StatusOr<pid_t> Spawn(const ProgramSpec& spec);

/// How a program ended, and what it wrote (stdout and stderr together, the last 64 KiB).
struct ProgramResult {
  int exit_code = 0;  ///< 128 + signal when a signal ended it
  std::string output;
};

/// Runs a program to its end and reaps it. `spec.output` and `spec.new_session` are ignored: the
/// program leads a process group of its own, and what is left of the group when the program or the
/// call ends is killed (SIGKILL), the program included. Errors: as Spawn; kDeadlineExceeded;
/// kCancelled.
absl::StatusOr<ProgramResult> RunProgram(const Call& call, ProgramSpec spec);

/// The start time of a process in clock ticks since boot (field 22 of /proc/<pid>/stat), which with
/// the pid and the boot id names one process for ever. kNotFound when there is no such process.
absl::StatusOr<std::uint64_t> ProcessStartTicks(pid_t pid);

/// The kernel's id of this boot.
absl::StatusOr<std::string> BootId();

/// `name` looked up in $PATH and then in the system's folders, those for administrators included
/// (Debian keeps servers outside a user's PATH). kNotFound names the program.
absl::StatusOr<std::filesystem::path> FindProgram(const std::string& name);

}  // namespace trove
