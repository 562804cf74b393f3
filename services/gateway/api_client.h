#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <grpcpp/channel.h>
#include <grpcpp/support/client_callback.h>

#include "grpc/health/v1/health.grpc.pb.h"
#include "trove/v1/audit.grpc.pb.h"
#include "trove/v1/configuration.grpc.pb.h"
#include "trove/v1/datastore.grpc.pb.h"
#include "trove/v1/event.grpc.pb.h"
#include "trove/v1/flavor.grpc.pb.h"
#include "trove/v1/instance.grpc.pb.h"
#include "trove/v1/limits.grpc.pb.h"
#include "trove/v1/operation.grpc.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/base/secret.h"
#include "libtrove/rpc/outgoing_call.h"
#include "libtrove/rpc/status.h"

namespace trove::gateway {

/// The metadata key of the project that the path names: the api refuses another one than the
/// token's.
inline constexpr char kPathProjectKey[] = "x-trove-project";

/// The metadata key of the address that the request came from, for the record of the api.
inline constexpr char kClientKey[] = "x-trove-client";

/// The metadata key that the api's answer carries, with any value, when the caller is an admin.
inline constexpr char kAdminKey[] = "x-trove-admin";

/// On whose behalf the api is called.
struct ApiCaller {
  Call call;
  Secret token;
  std::string project_id;  ///< of the path
  std::string address;     ///< IP address of the client
};

/// What an answer says of the caller.
struct ApiAnswer {
  bool admin = false;
};

/// The api's services over one connection.
struct ApiStubs {
  explicit ApiStubs(const std::shared_ptr<grpc::Channel>& channel);

  std::unique_ptr<v1::InstanceService::Stub> instances;
  std::unique_ptr<v1::FlavorService::Stub> flavors;
  std::unique_ptr<v1::DatastoreService::Stub> datastores;
  std::unique_ptr<v1::LimitsService::Stub> limits;
  std::unique_ptr<v1::ConfigurationService::Stub> configurations;
  std::unique_ptr<v1::OperationService::Stub> operations;
  std::unique_ptr<v1::EventService::Stub> events;
  std::unique_ptr<v1::AuditService::Stub> audit;
  std::unique_ptr<::grpc::health::v1::Health::Stub> health;
};

/// The api over several connections, used in turn: one connection is one lock. Thread-safe.
class ApiClient {
 public:
  /// At least one channel.
  explicit ApiClient(const std::vector<std::shared_ptr<grpc::Channel>>& channels);

  /// The next connection in turn that has not just failed; any, when all have: after a restart of
  /// the api the first one that is back serves everybody.
  ApiStubs& Next();

 private:
  const std::vector<std::shared_ptr<grpc::Channel>> channels_;
  std::vector<std::unique_ptr<ApiStubs>> stubs_;  // one a channel
  std::atomic<std::size_t> next_ = 0;
};

/// `text` as a metadata value that gRPC takes and that equals no other text's: project ids are
/// their own.
std::string MetadataValue(const std::string& text);

/// Puts on whose behalf a call is into its metadata.
void AddCaller(const ApiCaller& caller, grpc::ClientContext* context);

/// Calls a unary rpc of the api and holds no thread; `done` (StatusOr<Response>, ApiAnswer) gets
/// the answer exactly once, on one of gRPC's threads or at once on this one. Errors: as
/// rpc::CallUnaryAsync.
template <typename Stub, typename Owner, typename Request, typename Response>
void CallApi(Stub& stub,
             void (Owner::*method)(grpc::ClientContext*,
                                   const Request*,
                                   Response*,
                                   std::function<void(grpc::Status)>),
             const ApiCaller& caller,
             std::type_identity_t<Request> request,
             std::function<void(absl::StatusOr<std::type_identity_t<Response>>, ApiAnswer)> done) {
  if (absl::Status early = caller.call.Check(); !early.ok()) {
    done(std::move(early), {});
    return;
  }
  struct Flight {
    Flight(const ApiCaller& flying, Request&& sent)
        : outgoing(flying.call, {.bearer_token = flying.token}), request(std::move(sent)) {
      AddCaller(flying, outgoing.context());
    }
    rpc::OutgoingCall outgoing;
    Request request;
    Response response;
  };
  auto flight = std::make_shared<Flight>(caller, std::move(request));
  Flight& in_flight = *flight;
  (stub.async()->*method)(
      in_flight.outgoing.context(),
      &in_flight.request,
      &in_flight.response,
      [flight = std::move(flight), done = std::move(done)](const grpc::Status& status) {
        if (!status.ok()) return done(rpc::FromGrpc(status), {});
        const auto& metadata = flight->outgoing.context()->GetServerInitialMetadata();
        done(std::move(flight->response), {.admin = metadata.find(kAdminKey) != metadata.end()});
      });
}

/// One message of a stream, and what to call when the next one may come.
template <typename Response>
using OnMessage = std::function<void(Response, std::function<void()> next)>;

namespace internal {

// The client's side of one stream. Deletes itself when the rpc is over.
template <typename Request, typename Response>
class ApiReader final : public grpc::ClientReadReactor<Response> {
 public:
  ApiReader(const ApiCaller& caller,
            Request request,
            OnMessage<Response> on_message,
            std::function<void(absl::Status)> on_end)
      : outgoing_(caller.call, {.bearer_token = caller.token}),
        request_(std::move(request)),
        on_message_(std::move(on_message)),
        on_end_(std::move(on_end)) {
    AddCaller(caller, outgoing_.context());
  }

  template <typename Stub, typename Method>
  void Start(Stub& stub, Method method) {
    (stub.async()->*method)(outgoing_.context(), &request_, this);
    // Reads are begun outside of gRPC's calls, until the one that brings nothing.
    this->AddHold();
    this->StartRead(&response_);
    this->StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      this->RemoveHold();
      return;
    }
    on_message_(std::move(response_), [this] { this->StartRead(&response_); });
  }

  void OnDone(const grpc::Status& status) override {
    const auto on_end = std::move(on_end_);
    const absl::Status end = rpc::FromGrpc(status);
    delete this;
    on_end(end);
  }

 private:
  rpc::OutgoingCall outgoing_;
  Request request_;
  Response response_;
  OnMessage<Response> on_message_;
  std::function<void(absl::Status)> on_end_;
};

}  // namespace internal

/// Calls a streaming rpc of the api and holds no thread. `on_message` gets each message and calls
/// `next` exactly once for each, also after it has lost interest (set the call's stop token then);
/// `on_end` comes last, exactly once, with how the stream ended. Both are called on gRPC's threads.
template <typename Stub, typename Owner, typename Request, typename Response>
void WatchApi(Stub& stub,
              void (Owner::*method)(grpc::ClientContext*,
                                    const Request*,
                                    grpc::ClientReadReactor<Response>*),
              const ApiCaller& caller,
              std::type_identity_t<Request> request,
              OnMessage<std::type_identity_t<Response>> on_message,
              std::function<void(absl::Status)> on_end) {
  if (absl::Status early = caller.call.Check(); !early.ok()) return on_end(std::move(early));
  auto* reader = new internal::ApiReader<Request, Response>(
      caller, std::move(request), std::move(on_message), std::move(on_end));
  reader->Start(stub, method);
}

}  // namespace trove::gateway
