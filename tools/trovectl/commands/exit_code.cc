#include "tools/trovectl/commands/exit_code.h"

#include <cstdlib>
#include <string>

#include <absl/strings/cord.h>

namespace trove::trovectl {
namespace {

constexpr char kPayload[] = "trovectl/exit-code";

}  // namespace

absl::Status WithExitCode(absl::Status status, ExitCode code) {
  status.SetPayload(kPayload, absl::Cord(std::to_string(static_cast<int>(code))));
  return status;
}

ExitCode ExitCodeOf(const absl::Status& status) {
  if (const auto given = status.GetPayload(kPayload))
    return static_cast<ExitCode>(std::atoi(std::string(*given).c_str()));
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kDone;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return kBadRequest;
    case absl::StatusCode::kNotFound:
      return kNotFound;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return kNotNow;
    case absl::StatusCode::kResourceExhausted:
      return kLimit;
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return kRefused;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return kNoAnswer;
    default:
      return kFailed;
  }
}

}  // namespace trove::trovectl
