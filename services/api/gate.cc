#include "services/api/gate.h"

#include <cstddef>
#include <string>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/rpc/call_context.h"

namespace trove::api {
namespace {

// An IPv6 address with its zone is shorter.
constexpr std::size_t kLongestAddress = 64;

// `192.0.2.7` of gRPC's `ipv4:192.0.2.7:4711`, `::1` of `ipv6:%5B::1%5D:4711`, `local` of a socket.
std::string AddressOf(const std::string& peer) {
  const std::size_t family = peer.find(':');
  if (family == std::string::npos || peer.starts_with("unix")) return "local";
  std::string address = peer.substr(family + 1, peer.rfind(':') - family - 1);
  for (const std::string& bracket :
       {std::string("%5B"), std::string("%5D"), std::string("["), std::string("]")}) {
    const std::size_t at = address.find(bracket);
    if (at != std::string::npos) address.erase(at, bracket.size());
  }
  return address;
}

std::string ClientAddress(const grpc::CallbackServerContext& context, const rpc::Caller& peer) {
  if (peer.identity.IsService("gateway")) {
    const auto found = context.client_metadata().find(kClientKey);
    if (found != context.client_metadata().end() && found->second.size() <= kLongestAddress)
      return {found->second.data(), found->second.size()};
  }
  return AddressOf(peer.address);
}

}  // namespace

absl::Status Gate::Admit(const Call& call,
                         grpc::CallbackServerContext& context,
                         Action action,
                         Caller* caller) {
  const rpc::Caller peer = rpc::CallerOf(context);
  const absl::StatusOr<Caller> known = authenticator_.Authenticate(call, peer.bearer_token);
  if (known.ok()) *caller = *known;
  caller->address = ClientAddress(context, peer);
  caller->action = action;
  TROVE_RETURN_IF_ERROR(known.status());
  const auto [first, last] = context.client_metadata().equal_range(kPathProjectKey);
  for (auto named = first; named != last; ++named) {
    const std::string project(named->second.data(), named->second.size());
    if (project == caller->project_id.value()) continue;
    return MakeError(Reason::kProjectMismatch,
                     "the path names project " + project + ", and this token is for project " +
                         caller->project_id.value() + ": use one of the other");
  }
  TROVE_RETURN_IF_ERROR(Authorize(*caller, action));
  if (caller->IsAdmin()) context.AddInitialMetadata(kAdminKey, "1");
  return absl::OkStatus();
}

}  // namespace trove::api
