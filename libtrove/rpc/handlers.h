#pragma once

#include <exception>
#include <memory>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/time/time.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include "libtrove/base/call.h"
#include "libtrove/base/executor.h"
#include "libtrove/rpc/call_context.h"
#include "libtrove/rpc/reply.h"
#include "libtrove/rpc/status.h"
#include "libtrove/rpc/stream.h"

/// The shapes of an rpc handler. A service derives from the generated CallbackService and each of
/// its methods is one of these:
///
///   grpc::ServerUnaryReactor* GetInstance(grpc::CallbackServerContext* context,
///                                         const v1::GetInstanceRequest* request,
///                                         v1::Instance* response) override {
///     return rpc::Inline(context, [&](const Call& call) { return Get(call, *request, response);
///     });
///   }
///
/// Each gives `fn` a Call (deadline, stop token, request id), turns what it returns into gRPC by
/// ToGrpc, and turns an exception into INTERNAL. Who calls: CallerOf(*context).
namespace trove::rpc {

namespace internal {

/// Runs `fn` and keeps its exceptions from gRPC.
template <typename Fn>
absl::Status Guarded(Fn&& fn) {
  try {
    return std::forward<Fn>(fn)();
  } catch (const std::exception& error) {
    return absl::InternalError(std::string("a handler threw: ") + error.what());
  } catch (...) {
    return absl::InternalError("a handler threw something");
  }
}

/// RESOURCE_EXHAUSTED with a time to retry after, from the refusal of an Executor; UNAVAILABLE
/// stays.
absl::Status Overloaded(const absl::Status& refusal);

}  // namespace internal

/// Runs `fn` (const Call& → absl::Status) at once on gRPC's thread: for what never blocks, as reads
/// of the store. Its Call has no stop token that could fire.
template <typename Fn>
grpc::ServerUnaryReactor* Inline(grpc::CallbackServerContext* context, Fn&& fn) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const Call call = BeginCall(*context, {}, kDefaultDeadline);
  const absl::Status status = internal::Guarded([&] { return fn(call); });
  reactor->Finish(ToGrpc(status, call.request_id));
  return reactor;
}

/// Runs `fn` (const Call& → absl::Status) on `executor`: for what blocks for a moment, as writes to
/// the store. A full executor answers RESOURCE_EXHAUSTED at once; a call that waited past its
/// deadline, or whose client left, is not started. `fn` is copied; context, request and response
/// live until it returns. The executor must outlive the server.
template <typename Fn>
grpc::ServerUnaryReactor* Pooled(Executor& executor, grpc::CallbackServerContext* context, Fn fn) {
  auto* reactor = new UnaryReactor;
  Call call = BeginCall(*context, reactor->stop_token(), kDefaultDeadline);
  const std::string request_id = call.request_id;
  const absl::Status queued =
      executor.Submit([reactor, call = std::move(call), fn = std::move(fn)]() mutable {
        const absl::Status status = internal::Guarded([&] {
          const absl::Status early = call.Check();
          return early.ok() ? fn(std::as_const(call)) : early;
        });
        reactor->Finish(ToGrpc(status, call.request_id));
      });
  if (!queued.ok()) reactor->Finish(ToGrpc(internal::Overloaded(queued), request_id));
  return reactor;
}

/// Runs `fn` (const Call&, Reply<Response> → void) at once on gRPC's thread; it starts the work and
/// returns, and Reply::Finish answers whenever the work is done, on any thread.
template <typename Response, typename Fn>
grpc::ServerUnaryReactor* Async(grpc::CallbackServerContext* context, Response* response, Fn&& fn) {
  auto* reactor = new UnaryReactor;
  const Call call = BeginCall(*context, reactor->stop_token(), kDefaultDeadline);
  const Reply<Response> reply(reactor, response, call.request_id);
  const absl::Status status = internal::Guarded([&] {
    fn(call, reply);
    return absl::OkStatus();
  });
  if (!status.ok()) reply.Finish(status);
  return reactor;
}

/// Runs `fn` (const Call&, Stream<Response> → void) at once on gRPC's thread; it hands the stream
/// to whoever feeds it and returns. Unlike with Async, context and request are good only until
/// `fn` returns: copy what is needed of them. Without a client's deadline the stream has none.
template <typename Response, typename Fn>
grpc::ServerWriteReactor<Response>* Streaming(grpc::CallbackServerContext* context,
                                              Fn&& fn,
                                              StreamOptions options = {}) {
  const std::stop_source stop;
  const Call call = BeginCall(*context, stop.get_token(), absl::InfiniteDuration());
  auto state = std::make_shared<StreamState<Response>>(call.request_id, stop, options);
  grpc::ServerWriteReactor<Response>* reactor = state->Start(DrainingOf(*context));
  const Stream<Response> stream(std::move(state));
  const absl::Status status = internal::Guarded([&] {
    fn(call, stream);
    return absl::OkStatus();
  });
  if (!status.ok()) stream.Close(status);
  return reactor;
}

}  // namespace trove::rpc
