#include "libtrove/rpc/server.h"

#include <filesystem>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>

#include "libtrove/base/status.h"
#include "libtrove/rpc/health.h"
#include "test/unit/rpc/echo_server.h"

namespace trove::rpc {
namespace {

const GuestId kGuest("6c1ff9ac-2f0f-4f53-9d40-2d5f3a1c3bd0");

absl::Status CallInline(const std::shared_ptr<grpc::Channel>& channel) {
  const auto stub = EchoService::NewStub(channel);
  return CallUnary(*stub, &EchoService::Stub::Inline, Soon(), Text("hello")).status();
}

absl::Status CallPing(const std::shared_ptr<grpc::Channel>& channel) {
  const auto stub = InnerService::NewStub(channel);
  return CallUnary(*stub, &InnerService::Stub::Ping, Soon(), Text("hello")).status();
}

// Calls an rpc by its name, with an empty message.
absl::Status CallByName(const std::shared_ptr<grpc::Channel>& channel, const std::string& method) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  grpc::CompletionQueue queue;
  const grpc::ByteBuffer request(nullptr, 0);
  const auto rpc = stub.PrepareUnaryCall(&context, method, request, &queue);
  rpc->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  rpc->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  return FromGrpc(status);
}

TEST_CASE("each identity may call what the table allows it and nothing else", "[unit][rpc]") {
  EchoServer echo;
  CHECK(CallInline(echo.ChannelAs("gateway")).ok());
  CHECK(absl::IsPermissionDenied(CallPing(echo.ChannelAs("gateway"))));
  CHECK(CallPing(echo.ChannelAs("api")).ok());
  const absl::Status denied = CallInline(echo.ChannelAs("api"));
  CHECK(absl::IsPermissionDenied(denied));
  CHECK(MessageOf(denied) ==
        "service/api may not call /trove.rpc.test.EchoService/Inline on the mesh listener");

  const auto as_guest = MeshChannel(
      echo.server().address(0), echo.mesh().ServiceIdentity("api"), *echo.mesh().Guest(kGuest));
  CHECK(CallInline(as_guest).ok());
  CHECK(absl::IsPermissionDenied(CallPing(as_guest)));
}

TEST_CASE("the public listener asks for no certificate and has only what is public",
          "[unit][rpc]") {
  EchoServer echo;
  const auto channel = echo.Public();
  CHECK(CallInline(channel).ok());
  CHECK(absl::IsUnimplemented(CallPing(channel)));
  CHECK(absl::IsUnimplemented(CallByName(channel, "/grpc.channelz.v1.Channelz/GetServers")));
}

TEST_CASE("an rpc that nobody implements is unimplemented on every listener", "[unit][rpc]") {
  EchoServer echo;
  const bool is_public = GENERATE(false, true);
  const auto channel = is_public ? echo.Public() : echo.ChannelAs("gateway");
  CHECK(absl::IsUnimplemented(CallByName(channel, "/trove.rpc.test.EchoService/Absent")));
  CHECK(absl::IsUnimplemented(CallByName(channel, "/trove.rpc.test.EchoService/Nonsense")));
  CHECK(absl::IsUnimplemented(CallByName(channel, "/no.Such/Service")));
}

TEST_CASE("channelz answers trovectl alone", "[unit][rpc]") {
  EchoServer echo;
  const std::string method = "/grpc.channelz.v1.Channelz/GetServers";
  CHECK(CallByName(echo.ChannelAs("trovectl"), method).ok());
  CHECK(absl::IsPermissionDenied(CallByName(echo.ChannelAs("gateway"), method)));
  // A method of channelz without a row is denied too, to everybody.
  CHECK(absl::IsPermissionDenied(
      CallByName(echo.ChannelAs("trovectl"), "/grpc.channelz.v1.Channelz/GetSocket")));
}

TEST_CASE("who has no certificate of this mesh does not get through the handshake", "[unit][rpc]") {
  EchoServer echo;
  const std::string& address = echo.server().address(0);
  SECTION("no certificate") {
    const auto channel =
        EnrolChannel(address, echo.mesh().ServiceIdentity("api"), echo.mesh().mesh_authority_pem());
    CHECK(absl::IsUnavailable(CallInline(channel)));
  }
  SECTION("the same name of another mesh") {
    TestMesh other;
    // It trusts our authority, so that it is the server who has to say no.
    const auto identity = identity::IssueServiceIdentity(
        other.mesh_authority(), other.mesh_id(), "gateway", absl::Now());
    REQUIRE(identity.ok());
    identity::IssuedIdentity trusting = *identity;
    trusting.authority_pem = echo.mesh().mesh_authority_pem();
    const auto tls = TlsSource::Open(other.Write("gateway", trusting));
    REQUIRE(tls.ok());
    CHECK(absl::IsUnavailable(
        CallInline(MeshChannel(address, echo.mesh().ServiceIdentity("api"), **tls))));
  }
  SECTION("our authority, but the mesh id of another") {
    const auto identity = identity::IssueServiceIdentity(
        echo.mesh().mesh_authority(), "00000000", "gateway", absl::Now());
    REQUIRE(identity.ok());
    const auto tls = TlsSource::Open(echo.mesh().Write("foreign", *identity));
    REQUIRE(tls.ok());
    CHECK(absl::IsUnavailable(
        CallInline(MeshChannel(address, echo.mesh().ServiceIdentity("api"), **tls))));
  }
  SECTION("a certificate without any identity") {
    const auto identity = identity::IssueIdentity(echo.mesh().mesh_authority(),
                                                  {.common_name = "gateway",
                                                   .dns_names = {"gateway.trove.internal"},
                                                   .ip_addresses = {},
                                                   .uris = {},
                                                   .server_auth = true,
                                                   .client_auth = true,
                                                   .validity = absl::Hours(1)},
                                                  absl::Now());
    REQUIRE(identity.ok());
    const auto tls = TlsSource::Open(echo.mesh().Write("nameless", *identity));
    REQUIRE(tls.ok());
    CHECK(absl::IsUnavailable(
        CallInline(MeshChannel(address, echo.mesh().ServiceIdentity("api"), **tls))));
  }
}

TEST_CASE("a caller is known by certificate, token and listener", "[unit][rpc]") {
  Caller seen;
  EchoBehaviour behaviour;
  behaviour.unary = [&seen](const Call&, const Caller& caller, const EchoRequest&, EchoResponse*) {
    seen = caller;
    return absl::OkStatus();
  };
  EchoServer echo(behaviour);
  const auto call = [](const std::shared_ptr<grpc::Channel>& channel, const CallExtras& extras) {
    const auto stub = EchoService::NewStub(channel);
    REQUIRE(CallUnary(*stub, &EchoService::Stub::Inline, Soon(), Text(""), extras).ok());
  };
  call(echo.ChannelAs("gateway"), {.bearer_token = Secret("tenant-token")});
  CHECK(seen.listener == ListenerKind::kMesh);
  CHECK(seen.identity == echo.mesh().ServiceIdentity("gateway"));
  CHECK(seen.bearer_token.Reveal() == "tenant-token");
  CHECK(seen.address.starts_with("ipv4:127.0.0.1:"));

  call(echo.ChannelAs("gateway"), {.bearer_token = Secret("no header \n may hold \xff this")});
  CHECK(seen.bearer_token.empty());

  call(echo.Public(), {});
  CHECK(seen.listener == ListenerKind::kPublic);
  CHECK(seen.identity == identity::PeerIdentity());
  CHECK(seen.bearer_token.empty());
}

TEST_CASE("a server listens on a unix socket too and names its addresses", "[unit][rpc]") {
  TestMesh mesh;
  InnerHandlers inner;
  const std::string address = "unix:" + (mesh.folder() / "door.sock").string();
  const auto server = Server::Start(
      {.mesh_id = mesh.mesh_id(),
       .listeners = {{.kind = ListenerKind::kMesh, .address = address, .tls = mesh.Service("api")}},
       .allow = &EchoTable()},
      {Serve<InnerService>(inner)});
  REQUIRE(server.ok());
  CHECK((*server)->address(0) == address);
  CHECK(CallPing(MeshChannel(address, mesh.ServiceIdentity("api"), *mesh.Service("api"))).ok());
}

TEST_CASE("an enrolment listener has only what is for it", "[unit][rpc]") {
  TestMesh mesh;
  InnerHandlers inner;
  const AllowTable table(
      {{"/trove.rpc.test.InnerService/Ping", AllowRow::Open::kEnrol, {"service/api"}},
       {"/grpc.health.v1.Health/Check", AllowRow::Open::kPublicAndEnrol, {"*"}}});
  const auto server = Server::Start({.mesh_id = mesh.mesh_id(),
                                     .listeners = {{.kind = ListenerKind::kEnrol,
                                                    .address = "127.0.0.1:0",
                                                    .tls = mesh.Service("conductor")}},
                                     .allow = &table},
                                    {Serve<InnerService>(inner)});
  REQUIRE(server.ok());
  const auto channel = EnrolChannel(
      (*server)->address(0), mesh.ServiceIdentity("conductor"), mesh.mesh_authority_pem());
  CHECK(CallPing(channel).ok());
  CHECK(CheckHealth(channel, Soon()).ok());
  CHECK(absl::IsUnimplemented(
      CallByName(channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")));

  const auto wrong =
      EnrolChannel((*server)->address(0), mesh.ServiceIdentity("api"), mesh.mesh_authority_pem());
  CHECK(absl::IsUnavailable(CallPing(wrong)));
}

TEST_CASE("a server refuses to start with what it could not serve rightly", "[unit][rpc]") {
  TestMesh mesh;
  Executor executor("echo", 1, 1);
  EchoHandlers echo({}, executor);
  InnerHandlers inner;
  ServerOptions options{
      .mesh_id = mesh.mesh_id(),
      .listeners = {
          {.kind = ListenerKind::kMesh, .address = "127.0.0.1:0", .tls = mesh.Service("api")}}};
  SECTION("an rpc that the table does not name") {
    const auto server = Server::Start(options, {Serve<InnerService>(inner)});
    CHECK(absl::IsFailedPrecondition(server.status()));
    CHECK(MessageOf(server.status()) ==
          "the allow table has no row for /trove.rpc.test.InnerService/Ping");
  }
  SECTION("a service that is open on none of its listeners") {
    options.allow = &EchoTable();
    options.listeners[0].kind = ListenerKind::kPublic;
    CHECK(
        absl::IsFailedPrecondition(Server::Start(options, {Serve<InnerService>(inner)}).status()));
  }
  SECTION("a listener that none of its services is for") {
    options.allow = &EchoTable();
    options.listeners.push_back(
        {.kind = ListenerKind::kEnrol, .address = "127.0.0.1:0", .tls = mesh.Service("api")});
    CHECK(
        absl::IsFailedPrecondition(Server::Start(options, {Serve<InnerService>(inner)}).status()));
  }
  SECTION("a service written against the synchronous API") {
    options.allow = &EchoTable();
    InnerService::Service synchronous;
    CHECK(absl::IsFailedPrecondition(
        Server::Start(options, {Serve<InnerService>(synchronous)}).status()));
  }
  options.allow = &EchoTable();
  const auto code = [&] {
    return Server::Start(options, {Serve<InnerService>(inner), Serve<EchoService>(echo)})
        .status()
        .code();
  };
  SECTION("no listener") {
    options.listeners.clear();
    CHECK(code() == absl::StatusCode::kInvalidArgument);
  }
  SECTION("no mesh id") {
    options.mesh_id = "";
    CHECK(code() == absl::StatusCode::kInvalidArgument);
  }
  SECTION("no certificate") {
    options.listeners[0].tls = nullptr;
    CHECK(code() == absl::StatusCode::kInvalidArgument);
  }
  SECTION("a socket path that is too long") {
    options.listeners[0].address = "unix:/" + std::string(107, 'x');
    CHECK(code() == absl::StatusCode::kInvalidArgument);
  }
  SECTION("an address without a port") {
    options.listeners[0].address = "localhost";
    CHECK(code() == absl::StatusCode::kInvalidArgument);
  }
  SECTION("an address that is taken") {
    EchoServer other;
    options.listeners[0].address = other.server().address(0);
    const auto server =
        Server::Start(options, {Serve<InnerService>(inner), Serve<EchoService>(echo)});
    CHECK(absl::IsUnavailable(server.status()));
    CHECK(MessageOf(server.status()).find(other.server().address(0)) != std::string::npos);
  }
}

TEST_CASE("health follows what the server says of itself", "[unit][rpc]") {
  EchoServer echo;
  const bool is_public = GENERATE(false, true);
  const auto channel = is_public ? echo.Public() : echo.ChannelAs("trovectl");
  CHECK(CheckHealth(channel, Soon()).ok());
  CHECK(CheckHealth(channel, Soon(), "trove.rpc.test.EchoService").ok());
  CHECK(absl::IsNotFound(CheckHealth(channel, Soon(), "no.Such")));
  echo.server().SetServing(false);
  CHECK(absl::IsUnavailable(CheckHealth(channel, Soon())));
  CHECK(absl::IsUnavailable(CheckHealth(channel, Soon(), "trove.rpc.test.EchoService")));
  echo.server().SetServing(true);
  CHECK(CheckHealth(channel, Soon()).ok());
}

}  // namespace
}  // namespace trove::rpc
