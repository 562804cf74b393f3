#include "libtrove/rpc/outgoing_call.h"

#include <algorithm>
#include <string_view>

#include "libtrove/rpc/call_context.h"

namespace trove::rpc {
namespace {

// gRPC aborts the process over any other value.
bool IsHeaderValue(std::string_view value) {
  return !value.empty() &&
         std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c <= 0x7e; });
}

}  // namespace

OutgoingCall::OutgoingCall(const Call& call, const CallExtras& extras) {
  if (call.deadline != absl::InfiniteFuture())
    context_.set_deadline(absl::ToChronoTime(call.deadline));
  if (IsHeaderValue(call.request_id)) context_.AddMetadata(kRequestIdKey, call.request_id);
  if (IsHeaderValue(extras.bearer_token.Reveal()))
    context_.AddMetadata("authorization", "Bearer " + extras.bearer_token.Reveal());
  context_.set_wait_for_ready(extras.wait_for_server);
  on_stop_.emplace(call.stop, Cancel{&context_});
}

}  // namespace trove::rpc
