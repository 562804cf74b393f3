#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "test/unit/rpc/echo.grpc.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/base/executor.h"
#include "libtrove/rpc/allow_table.h"
#include "libtrove/rpc/channel.h"
#include "libtrove/rpc/handlers.h"
#include "libtrove/rpc/outgoing_call.h"
#include "libtrove/rpc/server.h"
#include "test/support/test_mesh.h"

namespace trove::rpc {

using test::EchoRequest;
using test::EchoResponse;
using test::EchoService;
using test::InnerService;

/// What the handlers of an EchoServer do; a test replaces what it is about.
struct EchoBehaviour {
  using Unary =
      std::function<absl::Status(const Call&, const Caller&, const EchoRequest&, EchoResponse*)>;

  Unary unary = [](const Call&, const Caller&, const EchoRequest& request, EchoResponse* response) {
    response->set_text(request.text());
    return absl::OkStatus();
  };
  std::function<void(const Call&, Reply<EchoResponse>)> later =
      [](const Call&, const Reply<EchoResponse>& reply) {
        reply.Finish(EchoResponse());
      };
  std::function<void(const Call&, Stream<EchoResponse>)> count =
      [](const Call&, const Stream<EchoResponse>& stream) {
        stream.Close();
      };
  StreamOptions stream;
};

class EchoHandlers final : public EchoService::CallbackService {
 public:
  EchoHandlers(EchoBehaviour behaviour, Executor& executor)
      : behaviour_(std::move(behaviour)), executor_(executor) {}

  grpc::ServerUnaryReactor* Inline(grpc::CallbackServerContext* context,
                                   const EchoRequest* request,
                                   EchoResponse* response) override {
    return rpc::Inline(context, [&](const Call& call) {
      return behaviour_.unary(call, CallerOf(*context), *request, response);
    });
  }
  grpc::ServerUnaryReactor* Pooled(grpc::CallbackServerContext* context,
                                   const EchoRequest* request,
                                   EchoResponse* response) override {
    return rpc::Pooled(executor_, context, [this, context, request, response](const Call& call) {
      return behaviour_.unary(call, CallerOf(*context), *request, response);
    });
  }
  grpc::ServerUnaryReactor* Later(grpc::CallbackServerContext* context,
                                  const EchoRequest* /*request*/,
                                  EchoResponse* response) override {
    return rpc::Async(context, response, behaviour_.later);
  }
  grpc::ServerWriteReactor<EchoResponse>* Count(grpc::CallbackServerContext* context,
                                                const EchoRequest* /*request*/) override {
    return rpc::Streaming<EchoResponse>(context, behaviour_.count, behaviour_.stream);
  }

 private:
  const EchoBehaviour behaviour_;
  Executor& executor_;
};

class InnerHandlers final : public InnerService::CallbackService {
 public:
  grpc::ServerUnaryReactor* Ping(grpc::CallbackServerContext* context,
                                 const EchoRequest* request,
                                 EchoResponse* response) override {
    return rpc::Inline(context, [&](const Call&) {
      response->set_text(request->text());
      return absl::OkStatus();
    });
  }
};

/// EchoService for everybody, InnerService for the service "api" alone.
inline const AllowTable& EchoTable() {
  using Open = AllowRow::Open;
  static const AllowTable table(
      {{"/trove.rpc.test.EchoService/Inline", Open::kPublic, {"service/gateway", "guest/*"}},
       {"/trove.rpc.test.EchoService/Pooled", Open::kPublic, {"service/gateway"}},
       {"/trove.rpc.test.EchoService/Later", Open::kPublic, {"service/gateway"}},
       {"/trove.rpc.test.EchoService/Count", Open::kPublic, {"service/gateway"}},
       {"/trove.rpc.test.EchoService/Absent", Open::kPublic, {"service/gateway"}},
       {"/trove.rpc.test.InnerService/Ping", Open::kNowhere, {"service/api"}},
       {"/grpc.health.v1.Health/Check", Open::kPublicAndEnrol, {"*"}},
       {"/grpc.health.v1.Health/Watch", Open::kPublicAndEnrol, {"*"}},
       {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Open::kPublic, {"*"}},
       {"/grpc.channelz.v1.Channelz/GetTopChannels", Open::kNowhere, {"service/trovectl"}},
       {"/grpc.channelz.v1.Channelz/GetServers", Open::kNowhere, {"service/trovectl"}}});
  return table;
}

/// A server of service "api" in a mesh of its own, with a mesh listener (0) and a public one (1),
/// and channels to it.
class EchoServer {
 public:
  explicit EchoServer(EchoBehaviour behaviour = {}, int threads = 2, std::size_t queue = 16)
      : executor_("echo", threads, queue), echo_(std::move(behaviour), executor_) {
    auto started = Server::Start(
        {.mesh_id = mesh_.mesh_id(),
         .listeners =
             {{.kind = ListenerKind::kMesh, .address = "127.0.0.1:0", .tls = mesh_.Service("api")},
              {.kind = ListenerKind::kPublic, .address = "127.0.0.1:0", .tls = mesh_.Endpoint()}},
         .allow = &EchoTable()},
        {Serve<EchoService>(echo_), Serve<InnerService>(inner_)});
    if (!started.ok()) std::abort();
    server_ = *std::move(started);
  }

  TestMesh& mesh() { return mesh_; }
  Server& server() { return *server_; }
  Executor& executor() { return executor_; }

  std::shared_ptr<grpc::Channel> ChannelAs(std::string_view service) {
    return MeshChannel(server_->address(0), mesh_.ServiceIdentity("api"), *mesh_.Service(service));
  }
  std::shared_ptr<grpc::Channel> Public() {
    return PublicChannel(server_->address(1), mesh_.endpoint_authority_pem());
  }
  std::unique_ptr<EchoService::Stub> Echo(std::string_view service = "gateway") {
    return EchoService::NewStub(ChannelAs(service));
  }

 private:
  TestMesh mesh_;
  Executor executor_;
  EchoHandlers echo_;
  InnerHandlers inner_;
  std::unique_ptr<Server> server_;
};

inline EchoRequest Text(std::string text) {
  EchoRequest request;
  request.set_text(std::move(text));
  return request;
}

inline Call Soon() {
  return CallFor(absl::Seconds(20));
}

}  // namespace trove::rpc
