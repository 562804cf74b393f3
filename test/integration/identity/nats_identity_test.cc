#include <thread>

#include <absl/time/clock.h>
#include <catch2/catch.hpp>

#include "libtrove/base/call.h"
#include "libtrove/base/files.h"
#include "libtrove/base/subprocess.h"
#include "libtrove/identity/nats_permissions.h"
#include "test/integration/identity/nats_connection.h"
#include "test/support/eventually.h"
#include "test/support/mini_nats.h"

namespace trove::identity {
namespace {

const GuestId kGuest("0b0e7c1a-8f5e-4a55-9d36-0d2f8a1c9e77");
const GuestId kOther("7d1f4f0e-3b0a-4c8f-8a44-5b9d2c6e1f00");
constexpr absl::Duration kSoon = absl::Seconds(10);
constexpr absl::Duration kNever = absl::Milliseconds(300);  // long enough to hear what was let by

std::unique_ptr<MiniNats> StartNats() {
  auto nats = MiniNats::Start();
  INFO(nats.status());
  REQUIRE(nats.ok());
  return *std::move(nats);
}

NatsTarget TargetOf(const MiniNats& nats, const std::string& name) {
  return {nats.url(), nats.tls_name(), nats.authority_pem(), NatsInboxPrefix(name)};
}

std::unique_ptr<NatsConnection> Connect(const MiniNats& nats,
                                        const std::string& name,
                                        const absl::StatusOr<NatsCredentials>& credentials) {
  REQUIRE(credentials.ok());
  auto connection = NatsConnection::Connect(TargetOf(nats, name), *credentials);
  INFO(connection.status());
  REQUIRE(connection.ok());
  return *std::move(connection);
}

std::unique_ptr<NatsConnection> ConnectService(const MiniNats& nats, const std::string& service) {
  return Connect(nats, service, nats.ServiceCredentials(service));
}

std::unique_ptr<NatsConnection> ConnectGuest(const MiniNats& nats, const GuestId& guest) {
  return Connect(nats, guest.value(), nats.GuestCredentials(guest));
}

absl::Status RefusalOf(const MiniNats& nats, const NatsCredentials& credentials) {
  return NatsConnection::Connect(TargetOf(nats, "x"), credentials).status();
}

TEST_CASE("nats-server finds nothing wrong with the generated configuration",
          "[integration][identity]") {
  const auto nats = StartNats();
  const auto program = FindProgram("nats-server");
  REQUIRE(program.ok());
  ProgramSpec spec;
  spec.argv = {*program, "-t", "-c", nats->folder() / "nats.conf"};
  const auto result = RunProgram(CallFor(absl::Seconds(30)), spec);
  REQUIRE(result.ok());
  INFO(result->output);
  CHECK(result->exit_code == 0);
}

TEST_CASE("a guest is heard on its own subjects alone", "[integration][identity]") {
  const auto nats = StartNats();
  const auto conductor = ConnectService(*nats, "conductor");
  NatsListener heartbeats = conductor->Listen("trove.v1.conductor.heartbeat.*");
  NatsListener reports = conductor->Listen("trove.v1.conductor.job.*");
  const auto guest = ConnectGuest(*nats, kGuest);

  guest->Publish("trove.v1.conductor.heartbeat." + kOther.value(), "forged");
  guest->Publish("trove.v1.conductor.job." + kOther.value(), "forged");
  CHECK(Eventually(kSoon, [&] { return guest->violations() == 2; }));
  guest->Publish("trove.v1.conductor.heartbeat." + kGuest.value(), "own");
  guest->Publish("trove.v1.conductor.job." + kGuest.value(), "own");
  // Order holds within a connection: a forged message would be heard first.
  CHECK(heartbeats.Next(kSoon) == "own");
  CHECK(reports.Next(kSoon) == "own");
  CHECK(conductor->violations() == 0);
}

TEST_CASE("a guest may neither say nor hear what is not its own", "[integration][identity]") {
  const auto nats = StartNats();
  const auto guest = ConnectGuest(*nats, kGuest);
  int expected = 0;
  for (const std::string& subject : {std::string("trove.v1.task.wake"),
                                     "trove.v1.guest." + kOther.value() + ".job",
                                     "trove.v1.guest." + kGuest.value() + ".job",
                                     std::string("trove.v1.event.p.instance.i"),
                                     std::string("$JS.API.INFO"),
                                     std::string("$SYS.REQ.SERVER.PING"),
                                     std::string("_INBOX_taskmanager.x")}) {
    CAPTURE(subject);
    guest->Publish(subject, "x");
    ++expected;
    CHECK(Eventually(kSoon, [&] { return guest->violations() == expected; }));
  }
  for (const std::string& subject : {std::string(">"),
                                     std::string("trove.v1.guest.>"),
                                     std::string("trove.v1.guest.*.job"),
                                     "trove.v1.guest." + kOther.value() + ".>",
                                     "trove.v1.conductor.heartbeat." + kGuest.value(),
                                     "_INBOX_" + kOther.value() + ".>",
                                     std::string("_INBOX.>"),
                                     std::string("trove.v1.event.>"),
                                     std::string("trove.v1.task.wake")}) {
    CAPTURE(subject);
    const NatsListener listener = guest->Listen(subject);
    ++expected;
    CHECK(Eventually(kSoon, [&] { return guest->violations() == expected; }));
  }
}

TEST_CASE("a job reaches its guest, whose one answer comes back", "[integration][identity]") {
  const auto nats = StartNats();
  const auto taskmanager = ConnectService(*nats, "taskmanager");
  const auto guest = ConnectGuest(*nats, kGuest);
  const auto other = ConnectGuest(*nats, kOther);
  NatsListener jobs = guest->Listen("trove.v1.guest." + kGuest.value() + ".>");
  NatsListener not_mine = other->Listen("trove.v1.guest." + kOther.value() + ".>");
  const std::string subject = "trove.v1.guest." + kGuest.value() + ".job";

  bool answered = false;
  std::jthread agent([&] { answered = jobs.AnswerNext(guest->get(), "accepted", kSoon); });
  const auto reply = taskmanager->Request(subject, "job", kSoon);
  agent.join();
  CHECK(answered);
  REQUIRE(reply.ok());
  CHECK(*reply == "accepted");
  CHECK(guest->violations() == 0);
  CHECK_FALSE(not_mine.Next(kNever).has_value());
}

TEST_CASE("a guest asks the conductor and hears the answer", "[integration][identity]") {
  const auto nats = StartNats();
  const auto conductor = ConnectService(*nats, "conductor");
  NatsListener reports = conductor->Listen("trove.v1.conductor.job.*");
  const auto guest = ConnectGuest(*nats, kGuest);
  bool answered = false;
  std::jthread service([&] { answered = reports.AnswerNext(conductor->get(), "stored", kSoon); });
  const auto reply = guest->Request("trove.v1.conductor.job." + kGuest.value(), "report", kSoon);
  service.join();
  CHECK(answered);
  REQUIRE(reply.ok());
  CHECK(*reply == "stored");
  CHECK(conductor->violations() == 0);
}

TEST_CASE("services reach what the table gives them and nothing more", "[integration][identity]") {
  const auto nats = StartNats();
  const auto taskmanager = ConnectService(*nats, "taskmanager");
  const auto api = ConnectService(*nats, "api");
  NatsListener wakes = taskmanager->Listen("trove.v1.task.wake");
  NatsListener events = api->Listen("trove.v1.event.>");
  api->Publish("trove.v1.task.wake", "operation");
  taskmanager->Publish("trove.v1.event.p.instance.i", "event");
  CHECK(wakes.Next(kSoon) == "operation");
  CHECK(events.Next(kSoon) == "event");

  // The event relay makes its stream; the api may not.
  const auto created = taskmanager->Request(
      "$JS.API.STREAM.CREATE.TEST",
      R"({"name":"TEST","subjects":["trove.v1.event.>"],"storage":"file","retention":"limits"})",
      kSoon);
  REQUIRE(created.ok());
  CHECK(created->find("\"error\"") == std::string::npos);
  CHECK(api->violations() == 0);
  api->Publish("$JS.API.STREAM.DELETE.TEST", "");
  CHECK(Eventually(kSoon, [&] { return api->violations() == 1; }));
  const auto trovectl = ConnectService(*nats, "trovectl");
  const auto info = trovectl->Request("$JS.API.STREAM.INFO.TEST", "", kSoon);
  REQUIRE(info.ok());
  CHECK(info->find("\"error\"") == std::string::npos);
}

TEST_CASE("the server refuses whom the mesh did not admit", "[integration][identity]") {
  const auto nats = StartNats();
  const auto good = nats->GuestCredentials(kGuest);
  REQUIRE(good.ok());
  REQUIRE(NatsConnection::Connect(TargetOf(*nats, kGuest.value()), *good).ok());
  const auto user = NKey::Generate(NKeyKind::kUser);
  REQUIRE(user.ok());

  SECTION("a signer of another mesh") {
    const auto foreign = NatsAuthority::Generate();
    REQUIRE(foreign.ok());
    const auto credentials = foreign->UserIssuer()->ServiceCredentials("api", absl::Now());
    CHECK(absl::IsPermissionDenied(RefusalOf(*nats, *credentials)));
  }
  SECTION("a signer that claims our account") {
    const auto key = NKey::Generate(NKeyKind::kAccount);
    REQUIRE(key.ok());
    const auto issuer = NatsUserIssuer::Make(*key, nats->issuer().account());
    REQUIRE(issuer.ok());
    const auto credentials = issuer->ServiceCredentials("taskmanager", absl::Now());
    CHECK(absl::IsPermissionDenied(RefusalOf(*nats, *credentials)));
  }
  SECTION("a JWT without its seed") {
    CHECK(absl::IsPermissionDenied(RefusalOf(*nats, {good->jwt, user->seed()})));
  }
  SECTION("a JWT that has expired") {
    const auto jwt = nats->issuer().GuestJwt(
        kGuest, user->public_key(), absl::Now() - absl::Hours(2), absl::Hours(1));
    REQUIRE(jwt.ok());
    CHECK(absl::IsPermissionDenied(RefusalOf(*nats, {*jwt, user->seed()})));
  }
}

TEST_CASE("the server's certificate is checked for its name and root", "[integration][identity]") {
  const auto nats = StartNats();
  const auto credentials = nats->ServiceCredentials("api");
  REQUIRE(credentials.ok());
  NatsTarget target = TargetOf(*nats, "api");
  SECTION("another name") {
    target.tls_name = "api.trove.internal";
  }
  SECTION("another root") {
    target.authority_pem = CertificateAuthority::Create("other", absl::Now())->certificate_pem();
  }
  CHECK_FALSE(NatsConnection::Connect(target, *credentials).ok());
}

TEST_CASE("users outlive a crash of the server, and a revocation too", "[integration][identity]") {
  const auto nats = StartNats();
  const auto credentials = nats->GuestCredentials(kGuest);
  REQUIRE(credentials.ok());
  const std::string url = nats->url();
  nats->Kill();
  REQUIRE(nats->Restart().ok());
  CHECK(nats->url() == url);
  const auto guest = Connect(*nats, kGuest.value(), credentials);
  const auto other = ConnectGuest(*nats, kOther);

  // Revoke the guest as an operator would: a new JWT for the account, sent to the server.
  const auto system = Connect(*nats, "system", nats->authority().SystemCredentials(absl::Now()));
  const auto facts = ReadNatsJwt(credentials->jwt);
  REQUIRE(facts.ok());
  const auto account =
      nats->authority().AccountJwt(absl::Now(), {{facts->subject, facts->issued_at}});
  REQUIRE(account.ok());
  const auto updated = system->Request(
      "$SYS.REQ.ACCOUNT." + nats->issuer().account() + ".CLAIMS.UPDATE", *account, kSoon);
  REQUIRE(updated.ok());
  CHECK(updated->find("\"code\":200") != std::string::npos);
  CHECK(Eventually(kSoon, [&] { return guest->closed(); }));
  CHECK_FALSE(other->closed());
  CHECK(absl::IsPermissionDenied(RefusalOf(*nats, *credentials)));

  nats->Kill();
  REQUIRE(nats->Restart().ok());
  CHECK(absl::IsPermissionDenied(RefusalOf(*nats, *credentials)));
  CHECK(ConnectGuest(*nats, kOther) != nullptr);
}

}  // namespace
}  // namespace trove::identity
