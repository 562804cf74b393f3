#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>

namespace trove {

/// Puts `context` in front of the message of a status that is not OK ("context: message"); code and
/// payloads stay.
absl::Status Annotate(const absl::Status& status, std::string_view context);

/// The status of a failed system call, from `error` (an errno value): "what: No space left on
/// device". The code is the nearest one: ENOENT and ESRCH are kNotFound, EEXIST kAlreadyExists,
/// EACCES and EPERM kPermissionDenied, ENOSPC and EDQUOT kResourceExhausted, EINTR and EAGAIN
/// kUnavailable, ETIMEDOUT kDeadlineExceeded, the rest kInternal.
absl::Status ErrnoStatus(int error, std::string_view what);

/// absl's own view type is not std::string_view in Debian's build; this is the one place that
/// converts.
inline std::string MessageOf(const absl::Status& status) {
  return std::string(status.message().data(), status.message().size());
}

}  // namespace trove
