#pragma once

#include <absl/status/status.h>

namespace trove::trovectl {

/// What a command ends with, for scripts. docs/operations.md lists them.
enum ExitCode : int {
  kDone = 0,
  kFailed = 1,      ///< something that nobody foresaw
  kBadRequest = 2,  ///< the command line or a value in it is wrong
  kNotFound = 3,    ///< there is no such thing
  kNotNow = 4,      ///< its state does not permit it, or something else runs on it
  kLimit = 5,       ///< a quota or a limit
  kRefused = 6,     ///< the token is no good, or may not do this
  kNoAnswer = 7,    ///< Trove does not answer, or not in time
  kOperationFailed = 8,
  kOperationCancelled = 9,
  kStillRunning = 10,  ///< --timeout was over before the operation was
  kInterrupted = 130,  ///< Ctrl-C; an operation goes on
};

/// Has a status end the command with `code`, whatever its own code is.
absl::Status WithExitCode(absl::Status status, ExitCode code);

/// The exit code of a status: one given by WithExitCode, else the one that fits its code.
ExitCode ExitCodeOf(const absl::Status& status);

}  // namespace trove::trovectl
