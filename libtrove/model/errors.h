#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/time/time.h>

namespace trove {

/// Why a request is refused. One table (errors.cc) says what each one is in gRPC and in REST; a
/// handler names the reason and nothing else.
enum class Reason {
  kInvalidField,
  kInvalidBody,
  kUnknownRoute,
  kUnsupportedMediaType,
  kBodyTooLarge,
  kUnauthenticated,
  kPermissionDenied,
  kAdminOnly,
  kProjectMismatch,
  kInstanceNotFound,
  kDatastoreNotFound,
  kVersionNotFound,
  kVersionUnknown,
  kVersionInactive,
  kFlavorNotFound,
  kFlavorUnknown,
  kOperationNotFound,
  kOperationEnded,
  kNotCancellable,
  kNotRetryable,
  kConfigurationNotFound,
  kConfigurationInUse,
  kConfigurationMismatch,
  kConfigurationInvalid,
  kNotConfigurable,
  kVersionMismatch,
  kEventsGone,
  kQuotaExceeded,
  kVolumeTooLarge,
  kWrongState,
  kOperationRunning,
  kRequestIdReused,
  kNotSupported,
  kRateLimited,
  kOverloaded,
  kUnavailable,
  kTimedOut,
  kStaleOwner,
  kInternal,
};

/// What a reason is on each wire.
struct ReasonInfo {
  Reason reason;
  std::string_view name;  ///< UPPER_SNAKE_CASE, in ErrorDetail.reason
  absl::StatusCode code;
  int rest_status;
  std::string_view fault_name;  ///< the key of Trove's fault body
};

const ReasonInfo& InfoOf(Reason reason);

/// The row with this name; null when there is none.
const ReasonInfo* FindReason(std::string_view name);

/// The row that a status without a reason of its own falls under, by its code alone (kInternal at
/// worst).
const ReasonInfo& InfoOfCode(absl::StatusCode code);

/// A field of a request and what is wrong with it.
struct FieldViolation {
  std::string field;        ///< path, as `volume_size_gib` or `users[0].name`
  std::string description;  ///< what is wrong and what would be right

  friend bool operator==(const FieldViolation&, const FieldViolation&) = default;
};

/// What goes with a reason.
struct ErrorExtras {
  std::vector<FieldViolation> violations;
  absl::Duration retry_after = absl::ZeroDuration();  ///< zero: not by waiting alone
  std::string help;
};

/// A status that carries an ErrorDetail (trove/v1/error.proto) as its payload. `message` says what
/// was tried, on what, and what would be right.
absl::Status MakeError(Reason reason, std::string message, const ErrorExtras& extras = {});

/// The usual refusal of one field: kInvalidField with one violation.
absl::Status FieldError(std::string field, std::string description);

/// The reason that a status carries, or the one that fits its code.
const ReasonInfo& ReasonOf(const absl::Status& status);

/// Where the serialized ErrorDetail lies in a status: the payload's type URL.
inline constexpr char kErrorDetailUrl[] = "type.googleapis.com/trove.v1.ErrorDetail";

}  // namespace trove
