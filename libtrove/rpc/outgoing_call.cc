#include "libtrove/rpc/outgoing_call.h"

#include "libtrove/rpc/call_context.h"

namespace trove::rpc {

OutgoingCall::OutgoingCall(const Call& call, const CallExtras& extras) {
  if (call.deadline != absl::InfiniteFuture())
    context_.set_deadline(absl::ToChronoTime(call.deadline));
  if (!call.request_id.empty()) context_.AddMetadata(kRequestIdKey, call.request_id);
  if (!extras.bearer_token.empty())
    context_.AddMetadata("authorization", "Bearer " + extras.bearer_token.Reveal());
  context_.set_wait_for_ready(extras.wait_for_server);
  on_stop_.emplace(call.stop, Cancel{&context_});
}

}  // namespace trove::rpc
