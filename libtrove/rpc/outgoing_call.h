#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include "libtrove/base/call.h"
#include "libtrove/base/secret.h"
#include "libtrove/rpc/status.h"

namespace trove::rpc {

/// What goes out with a call besides the Call itself.
struct CallExtras {
  /// As `authorization: Bearer …`. None is sent when it is empty, or holds what no header may (all
  /// but printable ASCII): to the server that is a call without a token.
  Secret bearer_token;
  /// Whether the rpc waits, up to its deadline, for a server that is down, or fails at once with
  /// kUnavailable.
  bool wait_for_server = false;
};

/// The client's side of one rpc: carries the call's deadline, request id and extras to the server,
/// and cancels the rpc when the call's stop token is set. For one rpc; must outlive it.
class OutgoingCall {
 public:
  explicit OutgoingCall(const Call& call, const CallExtras& extras = {});
  OutgoingCall(const OutgoingCall&) = delete;
  OutgoingCall& operator=(const OutgoingCall&) = delete;

  grpc::ClientContext* context() { return &context_; }

 private:
  struct Cancel {
    grpc::ClientContext* context;
    void operator()() const { context->TryCancel(); }
  };

  grpc::ClientContext context_;
  std::optional<std::stop_callback<Cancel>> on_stop_;  // ends before the context does
};

/// Calls a unary rpc and waits:
///
///   CallUnary(*stub, &v1::InstanceService::Stub::GetInstance, call, request)
///
/// Not on a thread of gRPC's (an Inline or Async handler, a callback). Errors: the server's, with
/// their details; kUnavailable: not reached; kDeadlineExceeded and kCancelled also before anything
/// was sent.
template <typename Stub, typename Owner, typename Request, typename Response>
absl::StatusOr<Response> CallUnary(Stub& stub,
                                   grpc::Status (Owner::*method)(grpc::ClientContext*,
                                                                 const Request&,
                                                                 Response*),
                                   const Call& call,
                                   const std::type_identity_t<Request>& request,
                                   const CallExtras& extras = {}) {
  if (absl::Status early = call.Check(); !early.ok()) return early;
  OutgoingCall outgoing(call, extras);
  Response response;
  const grpc::Status status = (stub.*method)(outgoing.context(), request, &response);
  if (!status.ok()) return FromGrpc(status);
  return response;
}

/// Calls a unary rpc and holds no thread meanwhile; `done` gets the answer exactly once, on one of
/// gRPC's threads (so it must not block), perhaps before this returns:
///
///   CallUnaryAsync(*stub, &v1::InstanceService::Stub::async::GetInstance, call, request, done)
///
/// Errors: as CallUnary; what is refused early also goes to `done`, at once on this thread.
template <typename Stub, typename Owner, typename Request, typename Response>
void CallUnaryAsync(Stub& stub,
                    void (Owner::*method)(grpc::ClientContext*,
                                          const Request*,
                                          Response*,
                                          std::function<void(grpc::Status)>),
                    const Call& call,
                    std::type_identity_t<Request> request,
                    std::function<void(absl::StatusOr<std::type_identity_t<Response>>)> done,
                    const CallExtras& extras = {}) {
  if (absl::Status early = call.Check(); !early.ok()) {
    done(std::move(early));
    return;
  }
  struct Flight {
    Flight(const Call& flying, const CallExtras& with, Request&& sent)
        : outgoing(flying, with), request(std::move(sent)) {}
    OutgoingCall outgoing;
    Request request;
    Response response;
  };
  auto flight = std::make_shared<Flight>(call, extras, std::move(request));
  Flight& in_flight = *flight;
  (stub.async()->*method)(
      in_flight.outgoing.context(),
      &in_flight.request,
      &in_flight.response,
      [flight = std::move(flight), done = std::move(done)](const grpc::Status& status) {
        if (status.ok()) {
          done(std::move(flight->response));
        } else {
          done(FromGrpc(status));
        }
      });
}

}  // namespace trove::rpc
