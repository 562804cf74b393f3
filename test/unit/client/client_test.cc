#include "libtrove/client/client.h"

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "trove/v1/event.grpc.pb.h"
#include "trove/v1/instance.grpc.pb.h"
#include "trove/v1/operation.grpc.pb.h"

#include "libtrove/base/mutex.h"
#include "libtrove/base/status.h"
#include "libtrove/model/errors.h"
#include "libtrove/rpc/handlers.h"
#include "libtrove/rpc/server.h"
#include "test/support/test_mesh.h"

namespace trove::client {
namespace {

absl::Status Away() {
  return absl::UnavailableError("the service is stopping");
}

// Answers from a script, and remembers what it was asked.
class Instances final : public v1::InstanceService::CallbackService {
 public:
  grpc::ServerUnaryReactor* RestartInstance(grpc::CallbackServerContext* context,
                                            const v1::RestartInstanceRequest* request,
                                            v1::Instance* response) override {
    return rpc::Inline(context, [&](const Call&) {
      const MutexLock lock(mutex_);
      request_ids_.push_back(request->request_id());
      if (failures_-- > 0) return Away();
      response->set_id(request->id());
      return absl::OkStatus();
    });
  }
  void FailFirst(int times) {
    const MutexLock lock(mutex_);
    failures_ = times;
  }
  std::vector<std::string> request_ids() const {
    const MutexLock lock(mutex_);
    return request_ids_;
  }

 private:
  mutable Mutex mutex_;
  int failures_ TROVE_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> request_ids_ TROVE_GUARDED_BY(mutex_);
};

// Each stream sends what the script has for it, and is then lost, or stays open for the last.
template <typename Message>
using Script = std::vector<std::vector<Message>>;

template <typename Message>
class Player {
 public:
  void Set(Script<Message> script) { script_ = std::move(script); }
  grpc::ServerWriteReactor<Message>* Play(grpc::CallbackServerContext* context) {
    return rpc::Streaming<Message>(context,
                                   [this](const Call&, const rpc::Stream<Message>& stream) {
                                     const std::size_t at = played_++;
                                     if (at < script_.size()) {
                                       for (const Message& message : script_[at])
                                         stream.TryWrite(message).IgnoreError();
                                     }
                                     if (at + 1 < script_.size()) {
                                       stream.Close(Away());
                                     } else {
                                       open_.push_back(stream);
                                     }
                                   });
  }

 private:
  Script<Message> script_;
  std::size_t played_ = 0;
  std::vector<rpc::Stream<Message>> open_;
};

class Operations final : public v1::OperationService::CallbackService {
 public:
  grpc::ServerWriteReactor<v1::Operation>* WatchOperation(
      grpc::CallbackServerContext* context, const v1::WatchOperationRequest*) override {
    return player.Play(context);
  }
  Player<v1::Operation> player;
};

class Events final : public v1::EventService::CallbackService {
 public:
  grpc::ServerUnaryReactor* ListEvents(grpc::CallbackServerContext* context,
                                       const v1::ListEventsRequest*,
                                       v1::ListEventsResponse* response) override {
    return rpc::Inline(context, [&](const Call&) {
      response->set_newest_position(40);
      return absl::OkStatus();
    });
  }
  grpc::ServerWriteReactor<v1::Event>* WatchEvents(grpc::CallbackServerContext* context,
                                                   const v1::WatchEventsRequest* request) override {
    after.push_back(request->has_after_position() ? request->after_position() : -1);
    return player.Play(context);
  }
  std::vector<std::int64_t> after;
  Player<v1::Event> player;
};

class FakeTrove {
 public:
  FakeTrove() {
    const rpc::ServerOptions options{.mesh_id = mesh_.mesh_id(),
                                     .listeners = {{.kind = rpc::ListenerKind::kPublic,
                                                    .address = "127.0.0.1:0",
                                                    .tls = mesh_.Endpoint()}}};
    auto server = rpc::Server::Start(options,
                                     {rpc::Serve<v1::InstanceService>(instances),
                                      rpc::Serve<v1::OperationService>(operations),
                                      rpc::Serve<v1::EventService>(events)});
    REQUIRE(server.ok());
    server_ = *std::move(server);
  }

  ClientOptions Options() const {
    ClientOptions options;
    options.endpoint = server_->address(0);
    options.token = Secret("trv_x");
    options.ca_pem = mesh_.endpoint_authority_pem();
    return options;
  }
  void Stop() { server_->Drain(absl::ZeroDuration()); }

  Instances instances;
  Operations operations;
  Events events;

 private:
  TestMesh mesh_;
  std::unique_ptr<rpc::Server> server_;  // last: it calls the services
};

v1::RestartInstanceRequest Restart(const std::string& request_id = "") {
  v1::RestartInstanceRequest request;
  request.set_id("i-1");
  request.set_request_id(request_id);
  return request;
}

v1::Operation At(std::int64_t version, v1::Operation::State state) {
  v1::Operation operation;
  operation.set_id("op-1");
  operation.set_version(version);
  operation.set_state(state);
  return operation;
}

v1::Event EventAt(std::int64_t position) {
  v1::Event event;
  event.set_position(position);
  return event;
}

TEST_CASE("a change is made again with the same request id while the service is away",
          "[unit][client]") {
  FakeTrove trove;
  trove.instances.FailFirst(2);
  Client client(trove.Options());
  const Client::InstanceOr instance = client.RestartInstance(CallFor(absl::Seconds(20)), Restart());
  INFO(instance.status());
  REQUIRE(instance.ok());
  const std::vector<std::string> ids = trove.instances.request_ids();
  REQUIRE(ids.size() == 3);
  CHECK_FALSE(ids[0].empty());
  CHECK(ids[1] == ids[0]);
  CHECK(ids[2] == ids[0]);

  REQUIRE(client.RestartInstance(CallFor(absl::Seconds(20)), Restart()).ok());
  CHECK(trove.instances.request_ids().back() != ids[0]);
  REQUIRE(client.RestartInstance(CallFor(absl::Seconds(20)), Restart("mine")).ok());
  CHECK(trove.instances.request_ids().back() == "mine");
}

TEST_CASE("a service that stays away is told of in plain words", "[unit][client]") {
  FakeTrove trove;
  ClientOptions options = trove.Options();
  options.patience = absl::Milliseconds(200);
  trove.Stop();
  Client client(options);
  const absl::Status refused =
      client.RestartInstance(CallFor(absl::Seconds(20)), Restart()).status();
  CHECK(absl::IsUnavailable(refused));
  CHECK(MessageOf(refused) == "Trove does not answer at " + options.endpoint);
  CHECK(ReasonOf(refused).reason == Reason::kUnavailable);
}

TEST_CASE("who has another authority is told so", "[unit][client]") {
  FakeTrove trove;
  ClientOptions options = trove.Options();
  options.ca_pem = TestMesh().endpoint_authority_pem();
  options.patience = absl::Milliseconds(200);
  Client client(options);
  const absl::Status refused =
      client.RestartInstance(CallFor(absl::Seconds(20)), Restart()).status();
  INFO(refused);
  CHECK(absl::IsUnavailable(refused));
  CHECK(MessageOf(refused).find("not the Trove of TROVE_CA") != std::string::npos);
}

TEST_CASE("an operation is watched over lost connections and each change shown once",
          "[unit][client]") {
  using O = v1::Operation;
  FakeTrove trove;
  trove.operations.player.Set({{At(1, O::STATE_PENDING)},
                               {},
                               {At(1, O::STATE_PENDING), At(3, O::STATE_RUNNING)},
                               {At(4, O::STATE_SUCCEEDED)}});
  Client client(trove.Options());
  std::vector<std::int64_t> seen;
  int lost = 0;
  const auto ended = client.WatchOperation(
      CallFor(absl::Seconds(30)),
      "op-1",
      [&](const O& operation) { seen.push_back(operation.version()); },
      [&](const absl::Status&) { ++lost; });
  INFO(ended.status());
  REQUIRE(ended.ok());
  CHECK(ended->state() == O::STATE_SUCCEEDED);
  CHECK(seen == std::vector<std::int64_t>{1, 3, 4});
  CHECK(lost == 2);  // the second stream was the first one's loss still
}

TEST_CASE("waiting ends with the call, and the operation is left alone", "[unit][client]") {
  FakeTrove trove;
  const v1::Operation running = At(1, v1::Operation::STATE_RUNNING);
  trove.operations.player.Set({{running}});
  Client client(trove.Options());
  SECTION("at its deadline") {
    const Call call = CallFor(absl::Milliseconds(300));
    CHECK(absl::IsDeadlineExceeded(client.Wait(call, "op-1").status()));
  }
  SECTION("when its stop token is set") {
    std::stop_source stop;
    const Call call = CallFor(absl::Seconds(30), stop.get_token());
    const auto on_change = [&](const v1::Operation&) {
      stop.request_stop();
    };
    CHECK(absl::IsCancelled(client.WatchOperation(call, "op-1", on_change).status()));
  }
}

TEST_CASE("events come once and in order over lost connections", "[unit][client]") {
  FakeTrove trove;
  trove.events.player.Set(
      {{EventAt(7), EventAt(9)}, {EventAt(9), EventAt(12)}, {EventAt(13), EventAt(14)}});
  Client client(trove.Options());
  v1::WatchEventsRequest request;
  request.set_after_position(5);
  std::vector<std::int64_t> seen;
  const absl::Status watched =
      client.WatchEvents(CallFor(absl::Seconds(30)), request, [&](const v1::Event& event) {
        seen.push_back(event.position());
        return seen.size() < 4;
      });
  CHECK(watched.ok());
  CHECK(seen == std::vector<std::int64_t>{7, 9, 12, 13});
  CHECK(trove.events.after == std::vector<std::int64_t>{5, 9, 12});
}

TEST_CASE("who watches from now on loses nothing when the first connection is lost at once",
          "[unit][client]") {
  FakeTrove trove;
  trove.events.player.Set({{}, {EventAt(41)}});
  Client client(trove.Options());
  std::vector<std::int64_t> seen;
  const absl::Status watched = client.WatchEvents(
      CallFor(absl::Seconds(30)), v1::WatchEventsRequest(), [&](const v1::Event& event) {
        seen.push_back(event.position());
        return false;
      });
  CHECK(watched.ok());
  CHECK(seen == std::vector<std::int64_t>{41});
  CHECK(trove.events.after == std::vector<std::int64_t>{40, 40});
}

}  // namespace
}  // namespace trove::client
