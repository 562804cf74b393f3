#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include <absl/time/time.h>
#include <grpcpp/server_context.h>

#include "libtrove/base/call.h"
#include "libtrove/base/secret.h"
#include "libtrove/identity/spiffe.h"
#include "libtrove/rpc/allow_table.h"

namespace trove::rpc {

/// The metadata key of the request id, in requests and in responses.
inline constexpr char kRequestIdKey[] = "x-request-id";

/// How long a unary rpc may take when its client set no deadline.
inline constexpr absl::Duration kDefaultDeadline = absl::Seconds(60);

/// Who calls, as far as the connection and the metadata say. The allow table has passed it; a token
/// has been checked by nobody yet.
struct Caller {
  ListenerKind listener = ListenerKind::kPublic;
  identity::PeerIdentity identity;  ///< of the mesh certificate; kNone on the other listeners
  std::string address;              ///< "ipv4:127.0.0.1:41112" or "unix:"
  Secret bearer_token;              ///< of `authorization: Bearer …`; empty when there is none
};

/// Call it before the handler has finished its rpc.
Caller CallerOf(const grpc::CallbackServerContext& context);

/// The client's request id when it sent a sane one (1 to 64 of [A-Za-z0-9._-]), else a new
/// "req-<uuid>".
std::string RequestIdOf(const grpc::CallbackServerContext& context);

/// What a handler passes on: the rpc's deadline, or `otherwise` from now when the client set none;
/// `stop`; and the request id, which is also put into the response's metadata. Once per rpc.
Call BeginCall(grpc::CallbackServerContext& context,
               std::stop_token stop,
               absl::Duration otherwise);

/// Set when the server that this rpc came through has begun to drain.
std::stop_token DrainingOf(const grpc::CallbackServerContext& context);

/// What every rpc of one listener shares. Outlives them.
struct ListenerState {
  ListenerKind kind;
  std::string mesh_id;
  std::stop_source draining;
};

/// Makes contexts that know their listener: for the Server only.
std::unique_ptr<grpc::ContextAllocator> MakeContextAllocator(const ListenerState& listener);

}  // namespace trove::rpc
