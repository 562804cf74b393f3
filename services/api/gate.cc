#include "services/api/gate.h"

#include <string>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/rpc/call_context.h"

namespace trove::api {

absl::StatusOr<Caller> Gate::Admit(const Call& call,
                                   grpc::CallbackServerContext& context,
                                   Action action) {
  const rpc::Caller peer = rpc::CallerOf(context);
  TROVE_ASSIGN_OR_RETURN(Caller caller, authenticator_.Authenticate(call, peer.bearer_token));
  caller.address = peer.address;
  const auto [first, last] = context.client_metadata().equal_range(kPathProjectKey);
  for (auto named = first; named != last; ++named) {
    const std::string project(named->second.data(), named->second.size());
    if (project == caller.project_id.value()) continue;
    return MakeError(Reason::kProjectMismatch,
                     "the path names project " + project + ", and this token is for project " +
                         caller.project_id.value() + ": use one of the other");
  }
  TROVE_RETURN_IF_ERROR(Authorize(caller, action));
  if (caller.IsAdmin()) context.AddInitialMetadata(kAdminKey, "1");
  return caller;
}

void Gate::Audit(const Call& call,
                 const Caller& caller,
                 std::string_view action,
                 std::string_view resource,
                 const absl::Status& outcome) const {
  log_.Info("audit",
            {{"action", action},
             {"resource", resource},
             {"project", caller.project_id.value()},
             {"user", caller.user},
             {"address", caller.address},
             {"request_id", call.request_id},
             {"outcome", outcome.ok() ? std::string_view("OK") : ReasonOf(outcome).name}});
}

}  // namespace trove::api
