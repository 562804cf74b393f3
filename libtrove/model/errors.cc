#include "libtrove/model/errors.h"

#include <utility>

#include <absl/strings/cord.h>

#include "trove/v1/error.pb.h"

#include "libtrove/base/check.h"

namespace trove {
namespace {

using Code = absl::StatusCode;

// REST statuses and fault names are Trove's, surprises included (an unknown version or flavor in a
// create is 400; a non-admin on an admin's route is 401).
constexpr ReasonInfo kReasons[] = {
    {Reason::kInvalidField, "INVALID_FIELD", Code::kInvalidArgument, 400, "badRequest"},
    {Reason::kInvalidBody, "INVALID_BODY", Code::kInvalidArgument, 400, "badRequest"},
    {Reason::kUnknownRoute, "UNKNOWN_ROUTE", Code::kNotFound, 404, "itemNotFound"},
    {Reason::kUnsupportedMediaType,
     "UNSUPPORTED_MEDIA_TYPE",
     Code::kInvalidArgument,
     415,
     "badMediaType"},
    {Reason::kBodyTooLarge, "BODY_TOO_LARGE", Code::kInvalidArgument, 413, "overLimit"},
    {Reason::kUnauthenticated, "UNAUTHENTICATED", Code::kUnauthenticated, 401, "unauthorized"},
    {Reason::kPermissionDenied, "PERMISSION_DENIED", Code::kPermissionDenied, 403, "forbidden"},
    {Reason::kAdminOnly, "ADMIN_ONLY", Code::kPermissionDenied, 401, "unauthorized"},
    {Reason::kProjectMismatch, "PROJECT_MISMATCH", Code::kPermissionDenied, 403, "forbidden"},
    {Reason::kInstanceNotFound, "INSTANCE_NOT_FOUND", Code::kNotFound, 404, "itemNotFound"},
    {Reason::kDatastoreNotFound, "DATASTORE_NOT_FOUND", Code::kNotFound, 404, "itemNotFound"},
    {Reason::kVersionNotFound, "DATASTORE_VERSION_NOT_FOUND", Code::kNotFound, 404, "itemNotFound"},
    {Reason::kVersionUnknown,
     "DATASTORE_VERSION_UNKNOWN",
     Code::kInvalidArgument,
     400,
     "badRequest"},
    {Reason::kVersionInactive,
     "DATASTORE_VERSION_INACTIVE",
     Code::kInvalidArgument,
     400,
     "badRequest"},
    {Reason::kFlavorNotFound, "FLAVOR_NOT_FOUND", Code::kNotFound, 404, "itemNotFound"},
    {Reason::kFlavorUnknown, "FLAVOR_UNKNOWN", Code::kInvalidArgument, 400, "badRequest"},
    {Reason::kOperationNotFound, "OPERATION_NOT_FOUND", Code::kNotFound, 404, "itemNotFound"},
    {Reason::kOperationEnded, "OPERATION_ENDED", Code::kFailedPrecondition, 409, "conflict"},
    {Reason::kNotCancellable, "NOT_CANCELLABLE", Code::kFailedPrecondition, 409, "conflict"},
    {Reason::kNotRetryable, "NOT_RETRYABLE", Code::kFailedPrecondition, 409, "conflict"},
    {Reason::kConfigurationNotFound,
     "CONFIGURATION_NOT_FOUND",
     Code::kNotFound,
     404,
     "itemNotFound"},
    {Reason::kConfigurationInUse,
     "CONFIGURATION_IN_USE",
     Code::kFailedPrecondition,
     400,
     "badRequest"},
    {Reason::kConfigurationMismatch,
     "CONFIGURATION_MISMATCH",
     Code::kInvalidArgument,
     400,
     "badRequest"},
    {Reason::kConfigurationInvalid,
     "CONFIGURATION_INVALID",
     Code::kInvalidArgument,
     422,
     "unprocessableEntity"},
    {Reason::kNotConfigurable, "NOT_CONFIGURABLE", Code::kFailedPrecondition, 400, "badRequest"},
    {Reason::kVersionMismatch,
     "DATASTORE_VERSION_MISMATCH",
     Code::kInvalidArgument,
     400,
     "badRequest"},
    {Reason::kEventsGone, "EVENTS_GONE", Code::kOutOfRange, 410, "gone"},
    {Reason::kQuotaExceeded, "QUOTA_EXCEEDED", Code::kResourceExhausted, 413, "overLimit"},
    {Reason::kVolumeTooLarge, "VOLUME_TOO_LARGE", Code::kResourceExhausted, 413, "overLimit"},
    {Reason::kWrongState, "WRONG_STATE", Code::kFailedPrecondition, 422, "unprocessableEntity"},
    {Reason::kOperationRunning,
     "OPERATION_RUNNING",
     Code::kFailedPrecondition,
     422,
     "unprocessableEntity"},
    {Reason::kRequestIdReused, "REQUEST_ID_REUSED", Code::kAlreadyExists, 409, "conflict"},
    {Reason::kNotSupported, "NOT_SUPPORTED", Code::kUnimplemented, 501, "notImplemented"},
    {Reason::kRateLimited, "RATE_LIMITED", Code::kResourceExhausted, 413, "overLimit"},
    {Reason::kOverloaded, "OVERLOADED", Code::kResourceExhausted, 503, "serviceUnavailable"},
    {Reason::kUnavailable, "UNAVAILABLE", Code::kUnavailable, 503, "serviceUnavailable"},
    {Reason::kTimedOut, "TIMED_OUT", Code::kDeadlineExceeded, 504, "gatewayTimeout"},
    {Reason::kStaleOwner, "STALE_OWNER", Code::kAborted, 409, "conflict"},
    {Reason::kInternal, "INTERNAL", Code::kInternal, 500, "instanceFault"},
};

}  // namespace

const ReasonInfo& InfoOf(Reason reason) {
  for (const ReasonInfo& info : kReasons) {
    if (info.reason == reason) return info;
  }
  TROVE_CHECK(false);
}

const ReasonInfo* FindReason(std::string_view name) {
  for (const ReasonInfo& info : kReasons) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

const ReasonInfo& InfoOfCode(absl::StatusCode code) {
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kOutOfRange:
      return InfoOf(Reason::kInvalidField);
    case Code::kUnauthenticated:
      return InfoOf(Reason::kUnauthenticated);
    case Code::kPermissionDenied:
      return InfoOf(Reason::kPermissionDenied);
    case Code::kNotFound:
      return InfoOf(Reason::kUnknownRoute);
    case Code::kAlreadyExists:
      return InfoOf(Reason::kRequestIdReused);
    case Code::kResourceExhausted:
      return InfoOf(Reason::kOverloaded);
    case Code::kFailedPrecondition:
      return InfoOf(Reason::kWrongState);
    case Code::kUnimplemented:
      return InfoOf(Reason::kNotSupported);
    case Code::kUnavailable:
    case Code::kCancelled:
      return InfoOf(Reason::kUnavailable);
    case Code::kDeadlineExceeded:
      return InfoOf(Reason::kTimedOut);
    case Code::kAborted:
      return InfoOf(Reason::kStaleOwner);
    default:
      return InfoOf(Reason::kInternal);
  }
}

absl::Status MakeError(Reason reason, std::string message, const ErrorExtras& extras) {
  const ReasonInfo& info = InfoOf(reason);
  v1::ErrorDetail detail;
  detail.set_reason(std::string(info.name));
  for (const FieldViolation& violation : extras.violations) {
    v1::ErrorDetail::FieldViolation* added = detail.add_field_violations();
    added->set_field(violation.field);
    added->set_description(violation.description);
  }
  if (extras.retry_after > absl::ZeroDuration()) {
    detail.mutable_retry_after()->set_seconds(
        absl::ToInt64Seconds(absl::Ceil(extras.retry_after, absl::Seconds(1))));
  }
  detail.set_help(extras.help);
  absl::Status status(info.code, std::move(message));
  status.SetPayload(kErrorDetailUrl, absl::Cord(detail.SerializeAsString()));
  return status;
}

absl::Status FieldError(std::string field, std::string description) {
  std::string message = field + ": " + description;
  return MakeError(
      Reason::kInvalidField,
      std::move(message),
      {.violations = {{.field = std::move(field), .description = std::move(description)}}});
}

const ReasonInfo& ReasonOf(const absl::Status& status) {
  if (const auto payload = status.GetPayload(kErrorDetailUrl)) {
    v1::ErrorDetail detail;
    if (detail.ParseFromString(std::string(*payload))) {
      if (const ReasonInfo* info = FindReason(detail.reason())) return *info;
    }
  }
  return InfoOfCode(status.code());
}

}  // namespace trove
