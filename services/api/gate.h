#pragma once

#include <string_view>
#include <utility>

#include <absl/status/statusor.h>
#include <grpcpp/server_context.h>

#include "libtrove/base/call.h"
#include "libtrove/base/log.h"
#include "services/api/authenticator.h"
#include "services/api/policy.h"

namespace trove::api {

/// The metadata key by which the gateway says which project a REST path named.
inline constexpr char kPathProjectKey[] = "x-trove-project";

/// The metadata key by which an answer says that its caller is an admin: the gateway shows admins
/// more of a resource and knows nobody itself.
inline constexpr char kAdminKey[] = "x-trove-admin";

/// What every rpc passes first: the token, the project it was asked in, the policy. Thread-safe.
class Gate {
 public:
  /// `authenticator` must outlive this object.
  Gate(Authenticator& authenticator, Log log)
      : authenticator_(authenticator), log_(std::move(log)) {}

  /// Who calls, when the token is good, the project in the path (if one is named) is the token's,
  /// and the policy lets the caller do this. The answer of an admin carries kAdminKey. Errors:
  /// kUnauthenticated; kProjectMismatch; kPermissionDenied.
  absl::StatusOr<Caller> Admit(const Call& call,
                               grpc::CallbackServerContext& context,
                               Action action);

  /// Records who changed what, and how it ended.
  void Audit(const Call& call,
             const Caller& caller,
             std::string_view action,
             std::string_view resource,
             const absl::Status& outcome) const;

 private:
  Authenticator& authenticator_;
  const Log log_;
};

}  // namespace trove::api
