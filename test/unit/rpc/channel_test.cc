#include "libtrove/rpc/channel.h"

#include <string>

#include <absl/time/clock.h>
#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "test/support/eventually.h"
#include "test/unit/rpc/echo_server.h"

namespace trove::rpc {
namespace {

const GuestId kGuest("6c1ff9ac-2f0f-4f53-9d40-2d5f3a1c3bd0");

absl::StatusOr<EchoResponse> Say(const std::shared_ptr<grpc::Channel>& channel,
                                 const CallExtras& extras = {}) {
  const auto stub = EchoService::NewStub(channel);
  return CallUnary(*stub, &EchoService::Stub::Inline, Soon(), Text("hello"), extras);
}

TEST_CASE("a mesh channel talks only to whom it expects", "[unit][rpc]") {
  EchoServer echo;
  const std::string& address = echo.server().address(0);
  const auto tls = echo.mesh().Service("gateway");
  CHECK(Say(MeshChannel(address, echo.mesh().ServiceIdentity("api"), *tls)).ok());
  for (const identity::PeerIdentity& other :
       {echo.mesh().ServiceIdentity("conductor"),
        echo.mesh().GuestIdentity(kGuest),
        identity::PeerIdentity{identity::PeerKind::kService, "00000000", "api"}}) {
    CAPTURE(identity::Describe(other));
    CHECK(absl::IsUnavailable(Say(MeshChannel(address, other, *tls)).status()));
  }
}

TEST_CASE("a public channel checks the authority and the name", "[unit][rpc]") {
  EchoServer echo;
  const std::string& address = echo.server().address(1);
  CHECK(Say(PublicChannel(address, echo.mesh().endpoint_authority_pem())).ok());
  CHECK(Say(PublicChannel(address, echo.mesh().endpoint_authority_pem(), "localhost")).ok());
  CHECK_FALSE(Say(PublicChannel(address, echo.mesh().endpoint_authority_pem(), "elsewhere")).ok());
  CHECK_FALSE(Say(PublicChannel(address, echo.mesh().mesh_authority_pem())).ok());
}

TEST_CASE("a call that is too late or cancelled is not sent", "[unit][rpc]") {
  EchoServer echo;
  const auto stub = echo.Echo();
  std::stop_source stop;
  stop.request_stop();
  const Call cancelled = CallFor(absl::Seconds(20), stop.get_token());
  const Call late = CallFor(absl::Seconds(-1));
  CHECK(absl::IsCancelled(
      CallUnary(*stub, &EchoService::Stub::Inline, cancelled, Text("")).status()));
  CHECK(absl::IsDeadlineExceeded(
      CallUnary(*stub, &EchoService::Stub::Inline, late, Text("")).status()));
  absl::Status seen;
  CallUnaryAsync(
      *stub,
      &EchoService::Stub::async::Inline,
      late,
      Text(""),
      [&seen](const absl::StatusOr<EchoResponse>& response) { seen = response.status(); });
  CHECK(absl::IsDeadlineExceeded(seen));
}

TEST_CASE("a channel is back soon after its server is", "[unit][rpc]") {
  TestMesh mesh;
  Executor executor("echo", 1, 1);
  EchoHandlers handlers({}, executor);
  const std::string address = "unix:" + (mesh.folder() / "api.sock").string();
  const auto start = [&] {
    auto server = Server::Start({.mesh_id = mesh.mesh_id(),
                                 .listeners = {{.kind = ListenerKind::kMesh,
                                                .address = address,
                                                .tls = mesh.Service("api")}},
                                 .allow = &EchoTable()},
                                {Serve<EchoService>(handlers)});
    REQUIRE(server.ok());
    return *std::move(server);
  };
  const auto channel = MeshChannel(address, mesh.ServiceIdentity("api"), *mesh.Service("gateway"));
  CHECK(absl::IsUnavailable(Say(channel).status()));  // at once, as nobody listens
  {
    const auto server = start();
    CHECK(Say(channel, {.wait_for_server = true}).ok());
  }
  CHECK(absl::IsUnavailable(Say(channel).status()));
  const auto server = start();
  const absl::Time restarted = absl::Now();
  CHECK(Say(channel, {.wait_for_server = true}).ok());
  CHECK(absl::Now() - restarted < absl::Seconds(10));
}

TEST_CASE("replaced certificates are used without a restart", "[unit][rpc]") {
  TestMesh mesh;
  Executor executor("echo", 1, 1);
  EchoHandlers handlers({}, executor);
  const auto issue = [&](const identity::CertificateAuthority& authority) {
    auto issued = identity::IssueServiceIdentity(authority, mesh.mesh_id(), "api", absl::Now());
    REQUIRE(issued.ok());
    return *std::move(issued);
  };
  const TlsFiles files = mesh.Write("api", issue(mesh.mesh_authority()));
  const auto tls = TlsSource::Open(files, absl::Seconds(1));
  REQUIRE(tls.ok());
  const auto server = Server::Start(
      {.mesh_id = mesh.mesh_id(),
       .listeners = {{.kind = ListenerKind::kPublic, .address = "127.0.0.1:0", .tls = *tls}},
       .allow = &EchoTable()},
      {Serve<EchoService>(handlers)});
  REQUIRE(server.ok());
  const auto reaches = [&](const std::string& authority_pem) {
    return Say(EnrolChannel((*server)->address(0), mesh.ServiceIdentity("api"), authority_pem))
        .ok();
  };
  CHECK(reaches(mesh.mesh_authority_pem()));

  const auto next = identity::CertificateAuthority::Create("the next authority", absl::Now());
  REQUIRE(next.ok());
  mesh.Write("api", issue(*next));
  CHECK(Eventually(absl::Seconds(20), [&] { return reaches(next->certificate_pem()); }));
  CHECK_FALSE(reaches(mesh.mesh_authority_pem()));
}

TEST_CASE("TLS files that cannot be used are refused by name", "[unit][rpc]") {
  TestMesh mesh;
  const TlsFiles good = mesh.Service("api")->files();
  REQUIRE(WriteFileAtomically(mesh.folder() / "text", "not PEM", 0600).ok());
  const std::string text = mesh.folder() / "text";
  struct Case {
    TlsFiles files;
    absl::StatusCode code;
    std::string named;
  };
  const Case cases[] = {
      {{.certificate = "/no/such", .key = good.key, .authority = ""},
       absl::StatusCode::kNotFound,
       "/no/such"},
      {{.certificate = good.certificate, .key = text, .authority = ""},
       absl::StatusCode::kInvalidArgument,
       text},
      {{.certificate = good.certificate, .key = good.key, .authority = text},
       absl::StatusCode::kInvalidArgument,
       text},
      {{.certificate = good.certificate, .key = "", .authority = good.authority},
       absl::StatusCode::kInvalidArgument,
       "key"},
      {{}, absl::StatusCode::kInvalidArgument, "certificate"},
  };
  for (const auto& [files, code, named] : cases) {
    CAPTURE(named);
    const absl::Status status = TlsSource::Open(files).status();
    CHECK(status.code() == code);
    CHECK(MessageOf(status).find(named) != std::string::npos);
  }
}

}  // namespace
}  // namespace trove::rpc
