#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/uuid.h"
#include "libtrove/model/errors.h"
#include "test/support/store_contract.h"

namespace trove {
namespace {

GuestId GuestOf(StoreFixture& mesh, const OperationId& operation) {
  const auto target = mesh.store->LoadTarget(SoonCall(), operation);
  REQUIRE(target.ok());
  return target->guest.id;
}

GuestObservation Observation(const GuestId& guest,
                             std::int64_t sequence,
                             ServiceStatus service = ServiceStatus::kHealthy) {
  GuestObservation observation;
  observation.guest_id = guest;
  observation.incarnation = 1;
  observation.sequence = sequence;
  observation.service = service;
  observation.volume_used_bytes = 1000 * sequence;
  observation.message = "message " + std::to_string(sequence);
  return observation;
}

// Hears one heartbeat and says what became due.
std::vector<OperationId> Hear(StoreFixture& mesh, const GuestObservation& observation) {
  auto due = mesh.store->RecordObservations(SoonCall(), {observation});
  REQUIRE(due.ok());
  return *std::move(due);
}

void CheckEnrolment(const MakeStore& make) {
  StoreFixture mesh(make);
  const Accepted create = mesh.Create("p", "db");
  const WorkerId worker = mesh.Worker("w");
  const Operation operation = mesh.ClaimOne(worker).operation;
  const SetEnrolmentToken token{"hash", mesh.clock.Now() + absl::Minutes(10)};
  const auto give = [&](const SetEnrolmentToken& given) {
    REQUIRE(mesh.store->WriteOperation(SoonCall(), worker, {operation, {given}, {}, false}).ok());
  };
  give(token);
  const EnrolmentRequest request{
      GuestOf(mesh, operation.id), "hash", "keys", std::string("x\0y", 3), "UNKEY"};
  SECTION("a guest enrols with its token, and the operation that waits hears of it") {
    mesh.Wait(worker, operation, "guest.enrolled");
    const auto enrolled = mesh.store->EnrolGuest(SoonCall(), request);
    REQUIRE(enrolled.ok());
    CHECK(enrolled->project_id == ProjectId("p"));
    CHECK(enrolled->guest.id == request.guest_id);
    CHECK(enrolled->guest.sealing_public_key == request.sealing_public_key);
    CHECK(enrolled->guest.nkey_public == "UNKEY");
    CHECK(enrolled->guest.enrolled_at == mesh.clock.Now());
    CHECK(enrolled->endpoint.purpose == "primary");
    const ClaimedOperation claimed = mesh.ClaimOne(worker);
    REQUIRE(claimed.signals.size() == 1);
    CHECK(claimed.signals[0].name == "guest.enrolled");
    CHECK(claimed.signals[0].payload == request.guest_id.value());
  }
  SECTION("the same token works again with the same keys alone") {
    REQUIRE(mesh.store->EnrolGuest(SoonCall(), request).ok());
    CHECK(mesh.store->EnrolGuest(SoonCall(), request).ok());
    EnrolmentRequest thief = request;
    thief.keys_fingerprint = "other keys";
    CHECK(absl::IsUnauthenticated(mesh.store->EnrolGuest(SoonCall(), thief).status()));
    give({"second hash", mesh.clock.Now() + absl::Minutes(10)});
    CHECK(absl::IsUnauthenticated(mesh.store->EnrolGuest(SoonCall(), request).status()));
    thief.token_hash = "second hash";  // a new token: now these are the guest's keys
    CHECK(mesh.store->EnrolGuest(SoonCall(), thief).ok());
  }
  SECTION("a wrong, ended or empty token and another guest's are refused alike") {
    EnrolmentRequest wrong = request;
    wrong.token_hash = "wrong";
    CHECK(absl::IsUnauthenticated(mesh.store->EnrolGuest(SoonCall(), wrong).status()));
    wrong.token_hash = "";
    CHECK(absl::IsUnauthenticated(mesh.store->EnrolGuest(SoonCall(), wrong).status()));
    wrong = request;
    wrong.guest_id = GuestId(NewUuid());
    CHECK(absl::IsUnauthenticated(mesh.store->EnrolGuest(SoonCall(), wrong).status()));
    mesh.clock.Advance(absl::Minutes(10));
    CHECK(absl::IsUnauthenticated(mesh.store->EnrolGuest(SoonCall(), request).status()));
  }
}

void CheckObservations(const MakeStore& make) {
  StoreFixture mesh(make);
  const Accepted create = mesh.Create("p", "db");
  const InstanceId id = create.view.instance.id;
  const GuestId guest = GuestOf(mesh, create.operation_id);
  SECTION("a heartbeat shows on the instance") {
    mesh.clock.Advance(absl::Seconds(3));
    Hear(mesh, Observation(guest, 1));
    const InstanceView view = mesh.Get(id);
    CHECK(view.instance.service == ServiceStatus::kHealthy);
    CHECK(view.instance.service_updated_at == mesh.clock.Now());
    CHECK(view.instance.version == 2);
    CHECK(view.volume_used_bytes == 1000);
    CHECK(view.guest_message == "message 1");
  }
  SECTION("what says nothing new of the status gives the instance no new version") {
    Hear(mesh, Observation(guest, 1));
    Hear(mesh, Observation(guest, 2));
    CHECK(mesh.Get(id).instance.version == 2);
    CHECK(mesh.Get(id).volume_used_bytes == 2000);
  }
  SECTION("an older heartbeat, a repeated one and one of an unknown guest change nothing") {
    Hear(mesh, Observation(guest, 5));
    Hear(mesh, Observation(guest, 4, ServiceStatus::kCrashed));
    Hear(mesh, Observation(guest, 5, ServiceStatus::kCrashed));
    Hear(mesh, Observation(GuestId("nobody"), 9, ServiceStatus::kCrashed));
    CHECK(mesh.Get(id).instance.service == ServiceStatus::kHealthy);
    GuestObservation restarted = Observation(guest, 1, ServiceStatus::kRunning);
    restarted.incarnation = 2;
    Hear(mesh, restarted);
    CHECK(mesh.Get(id).instance.service == ServiceStatus::kRunning);
  }
  SECTION("silence is stored, once, and a heartbeat ends it") {
    Hear(mesh, Observation(guest, 1));
    const absl::Time since = mesh.clock.Now();
    mesh.clock.Advance(absl::Seconds(30));
    REQUIRE(
        mesh.store->RecordSilence(SoonCall(), {{guest, since}, {GuestId("nobody"), since}}).ok());
    CHECK(mesh.Get(id).instance.silent_since == since);
    CHECK(mesh.Get(id).instance.version == 3);
    REQUIRE(mesh.store->RecordSilence(SoonCall(), {{guest, mesh.clock.Now()}}).ok());
    CHECK(mesh.Get(id).instance.silent_since == since);
    Hear(mesh, Observation(guest, 2));
    CHECK_FALSE(mesh.Get(id).instance.silent_since);
    CHECK(mesh.Get(id).instance.version == 4);
  }
  SECTION("while the instance waits for a restart its status stays") {
    const WorkerId worker = mesh.Worker("w");
    mesh.Succeed(
        worker,
        mesh.ClaimOne(worker).operation,
        {SetTask{TaskStatus::kRestartRequired}, SetService{ServiceStatus::kRestartRequired}});
    Hear(mesh, Observation(guest, 1));
    CHECK(mesh.Get(id).instance.service == ServiceStatus::kRestartRequired);
    CHECK(mesh.Get(id).volume_used_bytes == 1000);
  }
  SECTION("the operation that holds the instance hears of a new agent and of a new status") {
    const WorkerId worker = mesh.Worker("w");
    mesh.Wait(worker, mesh.ClaimOne(worker).operation, "guest.connected");
    CHECK(Hear(mesh, Observation(guest, 1)) == std::vector{create.operation_id});
    const ClaimedOperation claimed = mesh.ClaimOne(worker);
    REQUIRE(claimed.signals.size() == 2);
    CHECK(claimed.signals[0].name == "guest.connected");
    CHECK(claimed.signals[1].name == "guest.status");
    CHECK(claimed.signals[1].payload == std::to_string(static_cast<int>(ServiceStatus::kHealthy)));
    CHECK(Hear(mesh, Observation(guest, 2)).empty());
  }
  SECTION("the new holder of a shard reads what the last one knew") {
    Hear(mesh, Observation(guest, 7));
    REQUIRE(mesh.store->RecordSilence(SoonCall(), {{guest, mesh.clock.Now()}}).ok());
    const int shard = ShardOf(guest);
    const auto guests = mesh.store->ListShard(SoonCall(), {shard});
    REQUIRE(guests.ok());
    REQUIRE(guests->size() == 1);
    CHECK(guests->front().guest_id == guest);
    CHECK(guests->front().incarnation == 1);
    CHECK(guests->front().sequence == 7);
    CHECK(guests->front().service == ServiceStatus::kHealthy);
    CHECK(guests->front().silent_since == mesh.clock.Now());
    CHECK(mesh.store->ListShard(SoonCall(), {(shard + 1) % 64}).value().empty());
  }
}

void CheckJobs(const MakeStore& make) {
  StoreFixture mesh(make);
  const Accepted create = mesh.Create("p", "db");
  const GuestId guest = GuestOf(mesh, create.operation_id);
  const WorkerId worker = mesh.Worker("w");
  const JobId job(create.operation_id.value() + "/prepare/1");
  const Operation operation = mesh.ClaimOne(worker).operation;
  SECTION("a result ends the wait for its job") {
    mesh.Wait(worker, operation, "job:" + job.value());
    const auto due =
        mesh.store->RecordJobResult(SoonCall(), {guest, job, true, "", std::string("r\0", 2)});
    REQUIRE(due.ok());
    CHECK(*due == create.operation_id);
    const ClaimedOperation claimed = mesh.ClaimOne(worker);
    REQUIRE(claimed.signals.size() == 1);
    CHECK(claimed.signals[0].name == "job:" + job.value());
    CHECK(claimed.signals[0].payload == std::string("r\0", 2));
  }
  SECTION("progress is the reason for waiting, as long as that job is waited for") {
    mesh.Wait(worker, operation, "job:" + job.value());
    const auto due =
        mesh.store->RecordJobResult(SoonCall(), {guest, job, false, "copying the template", ""});
    REQUIRE(due.ok());
    CHECK_FALSE(*due);
    CHECK(mesh.Get(create.view.instance.id).operation->reason == "copying the template");
    const JobId earlier(create.operation_id.value() + "/prepare/0");
    REQUIRE(mesh.store->RecordJobResult(SoonCall(), {guest, earlier, false, "long ago", ""}).ok());
    CHECK(mesh.Get(create.view.instance.id).operation->reason == "copying the template");
  }
  SECTION("a guest speaks for itself alone") {
    const Accepted other = mesh.Create("q", "other");
    const GuestId stranger = GuestOf(mesh, other.operation_id);
    for (const GuestId& who : {stranger, GuestId("nobody")}) {
      CHECK(absl::IsPermissionDenied(
          mesh.store->RecordJobResult(SoonCall(), {who, job, true, "", "forged"}).status()));
    }
    const JobId unknown(NewUuid() + "/prepare/1");
    CHECK(absl::IsPermissionDenied(
        mesh.store->RecordJobResult(SoonCall(), {guest, unknown, true, "", ""}).status()));
  }
  SECTION("the result of an ended operation is taken and changes nothing") {
    mesh.Succeed(worker, operation);
    const auto due = mesh.store->RecordJobResult(SoonCall(), {guest, job, true, "", ""});
    REQUIRE(due.ok());
    CHECK_FALSE(*due);
  }
}

std::size_t Held(StoreFixture& mesh, const WorkerId& worker) {
  const auto shards = mesh.store->ClaimShards(SoonCall(), worker);
  REQUIRE(shards.ok());
  CHECK(std::is_sorted(shards->begin(), shards->end()));
  return shards->size();
}

void CheckShards(const MakeStore& make) {
  SECTION("a guest's shard is always the same one of 64") {
    CHECK(ShardOf(GuestId("6a8f2c1e-0d3b-4f5a-9c7e-1b2d3f4a5c6d")) ==
          ShardOf(GuestId("6a8f2c1e-0d3b-4f5a-9c7e-1b2d3f4a5c6d")));
    std::vector<int> hits(64);
    for (int i = 0; i < 6400; ++i)
      ++hits.at(static_cast<std::size_t>(ShardOf(GuestId(NewUuid()))));
    CHECK(*std::min_element(hits.begin(), hits.end()) > 30);
    CHECK(*std::max_element(hits.begin(), hits.end()) < 250);
  }
  SECTION("one conductor judges all, a second one gets half, a dead one's go to the others") {
    StoreFixture mesh(make);
    mesh.Worker("a taskmanager");
    const WorkerId one = mesh.Worker("one");
    CHECK(Held(mesh, one) == 64);
    const WorkerId two = mesh.Worker("two");
    CHECK(Held(mesh, two) == 0);
    CHECK(Held(mesh, one) == 32);
    CHECK(Held(mesh, two) == 32);
    CHECK(Held(mesh, one) == 32);
    mesh.clock.Advance(absl::Seconds(9));
    REQUIRE(mesh.store->RenewWorker(SoonCall(), two, absl::Seconds(10)).ok());
    mesh.clock.Advance(absl::Seconds(1));
    CHECK(absl::IsAborted(mesh.store->ClaimShards(SoonCall(), one).status()));
    CHECK(Held(mesh, two) == 64);
  }
  SECTION("what a conductor releases is free at once") {
    StoreFixture mesh(make);
    const WorkerId one = mesh.Worker("one");
    CHECK(Held(mesh, one) == 64);
    REQUIRE(mesh.store->ReleaseWorker(SoonCall(), one).ok());
    CHECK(Held(mesh, mesh.Worker("two")) == 64);
  }
}

}  // namespace

void CheckStoreForConductor(const MakeStore& make) {
  CheckEnrolment(make);
  CheckObservations(make);
  CheckJobs(make);
  CheckShards(make);
}

}  // namespace trove
