#pragma once

#include <string>

#include <absl/status/statusor.h>
#include <boost/json/object.hpp>

#include "libtrove/base/secret.h"
#include "services/gateway/codec/decode.h"
#include "services/gateway/http_message.h"

namespace trove::gateway {

// What a request says outside of its document.

/// The host and port that links name: of the Host header when it can stand in a URL, else where the
/// request came to.
std::string HostOf(const HttpRequest& http);

/// The token of X-Auth-Token, else of `Authorization: Bearer …`. Errors: kUnauthenticated.
absl::StatusOr<Secret> TokenOf(const HttpRequest& http);

/// The body's object. A body without a Content-Type counts as none, as in Trove. Errors:
/// kInvalidBody: none, and one is needed, or what ParseBody says; kUnsupportedMediaType.
absl::StatusOr<boost::json::object> BodyOf(const HttpRequest& http, bool needed);

/// Idempotency-Key; empty: there is none. Errors: kInvalidField: not 1 to 128 printable ASCII
/// characters, or two that differ.
absl::StatusOr<std::string> IdempotencyKeyOf(const HttpRequest& http);

/// Whether `?validate_only=true` is there. Errors: kInvalidField: another value than true and
/// false, for whoever writes one means something.
absl::StatusOr<bool> ValidateOnly(const Parameters& query);

}  // namespace trove::gateway
