#pragma once

#include <absl/status/status.h>
#include <grpcpp/server_context.h>

#include "libtrove/base/call.h"
#include "services/api/authenticator.h"
#include "services/api/policy.h"

namespace trove::api {

/// The metadata key by which the gateway says which project a REST path named.
inline constexpr char kPathProjectKey[] = "x-trove-project";

/// The metadata key by which an answer says that its caller is an admin: the gateway shows admins
/// more of a resource and knows nobody itself.
inline constexpr char kAdminKey[] = "x-trove-admin";

/// The metadata key by which the gateway says whose request it passes on, as `192.0.2.7`. Believed
/// of nobody else.
inline constexpr char kClientKey[] = "x-trove-client";

/// What every rpc passes first: the token, the project it was asked in, the policy. Thread-safe.
class Gate {
 public:
  /// `authenticator` must outlive this object.
  explicit Gate(Authenticator& authenticator) : authenticator_(authenticator) {}

  /// OK when the token is good, the project in the path (if one is named) is the token's, and the
  /// policy lets the caller do this; the answer of an admin carries kAdminKey then. `caller` gets
  /// what is known, also of who is refused. Errors: kUnauthenticated; kProjectMismatch;
  /// kPermissionDenied; kAdminOnly.
  absl::Status Admit(const Call& call,
                     grpc::CallbackServerContext& context,
                     Action action,
                     Caller* caller);

 private:
  Authenticator& authenticator_;
};

}  // namespace trove::api
