#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <absl/status/statusor.h>
#include <grpcpp/channel.h>

#include "trove/v1/instance.pb.h"

#include "libtrove/client/client.h"
#include "libtrove/rpc/outgoing_call.h"
#include "services/api/api.h"
#include "test/support/fake_clock.h"
#include "test/support/memory_bus.h"
#include "test/support/test_mesh.h"

namespace trove::api {

Call SoonCall();

/// Versions that the datastore mariadb of a ServedApi has besides that of its manifest.
inline constexpr char kOlder[] = "10.6";
inline constexpr char kNewer[] = "11.4";

/// One caller of the api: what the generated stubs do, with a token.
class Actor {
 public:
  Actor(std::shared_ptr<grpc::Channel> channel, Secret token)
      : channel_(std::move(channel)), token_(std::move(token)) {}

  /// Calls an rpc: tenant(&v1::InstanceService::Stub::StopInstance, request).
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> operator()(
      grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
      const std::type_identity_t<Request>& request,
      const std::vector<std::pair<std::string, std::string>>& metadata = {}) const {
    Stub stub(channel_);
    rpc::OutgoingCall outgoing(SoonCall(), {.bearer_token = token_});
    for (const auto& [key, value] : metadata)
      outgoing.context()->AddMetadata(key, value);
    Response response;
    const grpc::Status status = (stub.*method)(outgoing.context(), request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  Secret token_;
};

/// The whole api over real TLS, on a store and a bus in memory. Used on the test's own thread.
class ServedApi {
 public:
  explicit ServedApi(const AuditLog::Options& audit = {});

  /// Somebody with a token of this project and role.
  client::Client As(const std::string& project, const std::string& role);
  client::Client WithToken(const Secret& token);
  /// The same with the generated stubs, on the public listener.
  Actor ActAs(const std::string& project, const std::string& role);
  Actor ActWith(const Secret& token);
  /// The same through another service of the mesh.
  Actor ActThrough(const std::string& service, const std::string& project, const std::string& role);

  /// An instance of this project as its create left it: ACTIVE and HEALTHY.
  v1::Instance Active(const std::string& project, const std::string& name = "orders");
  /// Claims what is due, and ends it with these effects.
  void FinishDue(const std::vector<Effect>& effects,
                 OperationState state = OperationState::kSucceeded);
  /// Changes an active instance that no operation holds, by an operation of its own.
  void Change(const v1::Instance& instance, const std::vector<Effect>& effects);
  ClaimedOperation ClaimOne();
  void Write(const OperationWrite& write);
  /// The worker that does these things; it has a lease.
  const WorkerId& Worker();
  /// Stamps all events, as the relay does, and tells the bus when `publish`.
  std::vector<EventRecord> Relay(bool publish = true);
  /// Everything in the store that a tenant or an operator can see, in one text.
  std::string Everything(const std::string& project);

  Store& store() { return *store_; }
  FakeClock& clock() { return clock_; }
  MemoryBus& bus() { return bus_; }
  const identity::MasterKey& key() const { return key_; }
  const std::string& mesh_id() const { return mesh_.mesh_id(); }
  /// Stops serving, as at the end of the process.
  void Stop() { server_.reset(); }

 private:
  Secret NewToken(const std::string& project, const std::string& role);

  TestMesh mesh_;
  MemoryBus bus_;
  FakeClock clock_{absl::Now()};
  const identity::MasterKey key_ = identity::MasterKey::Generate();
  std::unique_ptr<Store> store_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<rpc::Server> server_;
  WorkerId worker_{"worker"};
  std::int64_t published_ = 0;
};

/// A good create request.
v1::CreateInstanceRequest Orders();

/// A request of a type that names an instance.
template <typename Request>
Request On(const std::string& id) {
  Request request;
  request.set_id(id);
  return request;
}

}  // namespace trove::api
