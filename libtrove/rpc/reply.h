#pragma once

#include <atomic>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/support/server_callback.h>

#include "libtrove/rpc/status.h"

namespace trove::rpc {

/// The gRPC side of one unary rpc that is answered later. Deletes itself when gRPC is done with it.
class UnaryReactor final : public grpc::ServerUnaryReactor {
 public:
  std::stop_token stop_token() const { return stop_.get_token(); }

 private:
  void OnCancel() override { stop_.request_stop(); }
  void OnDone() override { delete this; }

  std::stop_source stop_;
};

/// The answer of one unary rpc that its handler still owes. Copies share the one answer, so that it
/// can travel in a std::function; when the last copy goes without an answer, the client gets
/// INTERNAL. Thread-safe.
///
/// The rpc's context, request and response live until Finish. A client that leaves sets the Call's
/// stop token and nothing else: Finish is owed all the same.
template <typename Response>
class Reply {
 public:
  /// Made by Async (handlers.h).
  Reply(UnaryReactor* reactor, Response* response, std::string request_id)
      : pending_(std::make_shared<Pending>(reactor, response, std::move(request_id))) {}

  /// Answers; only the first answer counts. True when this was it.
  bool Finish(absl::StatusOr<Response> result) const {
    UnaryReactor* reactor = pending_->Take();
    if (reactor == nullptr) return false;
    if (result.ok()) *pending_->response = *std::move(result);
    reactor->Finish(ToGrpc(result.status(), pending_->request_id));
    return true;
  }

  /// Whether an answer was given.
  bool finished() const { return pending_->reactor.load() == nullptr; }

 private:
  struct Pending {
    Pending(UnaryReactor* owed, Response* where, std::string id)
        : reactor(owed), response(where), request_id(std::move(id)) {}
    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;
    ~Pending() {
      if (UnaryReactor* owed = Take(); owed != nullptr)
        owed->Finish(ToGrpc(absl::InternalError("the handler dropped its reply"), request_id));
    }

    UnaryReactor* Take() { return reactor.exchange(nullptr); }

    std::atomic<UnaryReactor*> reactor;  // null once answered: gRPC then deletes it at any moment
    Response* const response;
    const std::string request_id;
  };

  std::shared_ptr<Pending> pending_;
};

}  // namespace trove::rpc
