#include "services/taskmanager/reconciler.h"

#include <catch2/catch.hpp>

#include "libtrove/model/instance_state.h"
#include "test/support/eventually.h"
#include "test/support/noop_provisioner.h"
#include "test/unit/taskmanager/scripted.h"

namespace trove::taskmanager {
namespace {

/// One instance that was created on the host of a provisioner and is ACTIVE.
struct Hosted {
  Hosted() {
    s.run["a"] = [this](StepContext& context) -> Outcome {
      const auto place =
          host.Place(context.call(), {s.made.guest_id, s.made.instance.id, context.generation()});
      TROVE_CHECK(place.ok());
      VolumeSpec volume;
      volume.volume_id = s.made.volume_id;
      volume.guest = {s.made.guest_id, s.made.instance.id, context.generation()};
      TROVE_CHECK(host.EnsureVolume(context.call(), volume).ok());
      return Done{Effects(PlaceGuest{place->placement, place->control_endpoint, 0},
                          AssignEndpoint{place->address, place->port},
                          SetEnrolmentToken{"hash", s.clock.Now() + absl::Hours(1)})};
    };
    s.run["c"] = [](StepContext&) -> Outcome {
      return Done{Effects(SetTask{TaskStatus::kNone}, SetService{ServiceStatus::kHealthy})};
    };
    s.Accept();
    s.RunToEnd();
  }

  void Enrol() {
    EnrolmentRequest request;
    request.guest_id = s.made.guest_id;
    request.token_hash = "hash";
    request.keys_fingerprint = "keys";
    request.sealing_public_key = "key";
    request.nkey_public = "U";
    TROVE_CHECK(s.store->EnrolGuest(SoonCall(), request).ok());
  }

  /// A look of a process that has just begun.
  Reconciler::Report Look() {
    Reconciler reconciler(*s.store, host, lease, {});
    return Look(reconciler);
  }

  Reconciler::Report Look(Reconciler& reconciler) {
    const auto report = reconciler.ReconcileOnce(SoonCall());
    TROVE_CHECK(report.ok());
    return *report;
  }

  Instance Shown() { return s.GetInstance(); }
  GuestRef Guest(std::int64_t generation) {
    return {s.made.guest_id, s.made.instance.id, generation};
  }

  Scripted s;
  NoopProvisioner host;
  WorkerLease lease{*s.store, {}};
};

TEST_CASE("a guest that should run and does not is ensured with its generation",
          "[unit][taskmanager]") {
  Hosted h;
  h.Enrol();
  CHECK(h.Look().ensured == 1);
  CHECK(h.host.running().contains(h.s.made.guest_id));
  const auto stored = h.s.store->ListGuests(SoonCall(), "noop:");
  REQUIRE(stored.ok());
  CHECK(h.host.generation(h.s.made.guest_id) == stored->front().generation);
  CHECK(h.Look().ensured == 0);
}

TEST_CASE("who is left as it is", "[unit][taskmanager]") {
  Hosted h;
  SECTION("a guest that never enrolled") {
    CHECK(h.Look().ensured == 0);
  }
  SECTION("a guest that was stopped on purpose") {
    h.Enrol();
    CHECK(h.Look().ensured == 1);
    CHECK(h.host.Stop(SoonCall(), {h.s.made.guest_id, h.s.made.instance.id, 99}).ok());
    CHECK(h.Look().ensured == 0);
  }
  SECTION("a guest that an operation holds") {
    h.Enrol();
    CHECK(h.s.store
              ->BeginAction(
                  SoonCall(),
                  SeededRequester("p1"),
                  NewSeededAction(h.s.made.instance.id, "instance.other", TaskStatus::kRebooting))
              .ok());
    CHECK(h.Look().ensured == 0);
  }
  CHECK(h.host.running().empty());
}

TEST_CASE("a guest that cannot be ensured does not keep others from it", "[unit][taskmanager]") {
  Hosted h;
  h.Enrol();
  h.host.AddStranger({GuestId("stranger"), InstanceId("gone"), 3});
  h.host.FailNext("Ensure", 1, absl::UnavailableError("no"));
  const Reconciler::Report report = h.Look();
  CHECK(report.ensured == 0);
  CHECK(report.removed == 1);
  REQUIRE(report.failures.size() == 1);
  CHECK(report.failures[0] == h.s.made.guest_id.value() + ": no");
  CHECK_FALSE(h.host.guests().contains(GuestId("stranger")));
  CHECK(h.Look().ensured == 1);
}

TEST_CASE("a volume that is missing is never made again, and the instance says so",
          "[unit][taskmanager]") {
  Hosted h;
  h.Enrol();
  CHECK(h.Look().ensured == 1);
  h.host.LoseVolume(h.s.made.volume_id);
  h.host.KillProcesses(h.s.made.guest_id);
  CHECK(h.Look().ensured == 0);
  CHECK(h.host.volumes().empty());
  CHECK(h.host.running().empty());
  CHECK(ShownStatusOf(h.Shown(), false) == ShownStatus::kError);
  REQUIRE(h.Shown().fault);
  CHECK(h.Shown().fault->message.find("volume is missing") != std::string::npos);
  CHECK(h.Shown().fault->details.find(h.s.made.volume_id.value()) != std::string::npos);
  const std::int64_t version = h.Shown().version;
  CHECK(h.Look().faults == 0);
  CHECK(h.Shown().version == version);

  h.host.AddVolume(h.s.made.volume_id, h.s.made.guest_id);
  CHECK(h.Look().ensured == 1);
  CHECK(ShownStatusOf(h.Shown(), false) == ShownStatus::kActive);
  CHECK_FALSE(h.Shown().fault);
}

TEST_CASE("a guest that cannot be started says why until it can", "[unit][taskmanager]") {
  Hosted h;
  h.Enrol();
  h.host.FailNext("Ensure", 2, absl::FailedPreconditionError("there is no trove-keeper"));
  CHECK(h.Look().faults == 1);
  REQUIRE(h.Shown().fault);
  CHECK(h.Shown().fault->details == "there is no trove-keeper");
  CHECK(h.Look().faults == 0);
  CHECK(h.Look().ensured == 1);
  CHECK_FALSE(h.Shown().fault);
}

TEST_CASE("an agent that is not heard although its keeper lives is replaced",
          "[unit][taskmanager]") {
  Hosted h;
  h.Enrol();
  Reconciler::Options options;
  options.silent_for = absl::ZeroDuration();
  Reconciler reconciler(*h.s.store, h.host, h.lease, options);
  CHECK(h.Look(reconciler).ensured == 1);
  CHECK(h.Look(reconciler).agents == 0);
  CHECK(h.s.store->RecordSilence(SoonCall(), {{h.s.made.guest_id, h.s.clock.Now()}}).ok());
  CHECK(h.Look(reconciler).agents == 1);
  CHECK(h.Look(reconciler).agents == 0);  // it has its time to come up
  CHECK(h.host.calls("ReplaceAgent") == 1);
}

TEST_CASE("an agent is not replaced before it has been silent for a while", "[unit][taskmanager]") {
  Hosted h;
  h.Enrol();
  Reconciler reconciler(*h.s.store, h.host, h.lease, {});
  CHECK(h.Look(reconciler).ensured == 1);
  CHECK(h.s.store->RecordSilence(SoonCall(), {{h.s.made.guest_id, h.s.clock.Now()}}).ok());
  CHECK(h.Look(reconciler).agents == 0);
}

TEST_CASE("what a look would do is refused once an operation has acted on the guest",
          "[unit][taskmanager]") {
  Hosted h;
  h.Enrol();
  const auto stored = h.s.store->ListGuests(SoonCall(), "noop:");
  REQUIRE(stored.ok());
  const std::int64_t generation = stored->front().generation;
  SECTION("on the host") {
    CHECK(h.host.Stop(SoonCall(), h.Guest(generation + 1)).ok());
    h.host.KillProcesses(h.s.made.guest_id);
    const Reconciler::Report report = h.Look();
    CHECK(report.ensured == 0);
    CHECK(report.failures.empty());
    CHECK(h.host.running().empty());
  }
  SECTION("in the store") {
    const Finding old{h.s.made.guest_id, generation - 1, Effects(SetFault{"old", ""})};
    CHECK(absl::IsAborted(h.s.store->RecordFinding(SoonCall(), old)));
    CHECK(h.s.store
              ->BeginAction(
                  SoonCall(),
                  SeededRequester("p1"),
                  NewSeededAction(h.s.made.instance.id, "instance.other", TaskStatus::kRebooting))
              .ok());
    const Finding held{h.s.made.guest_id, generation, Effects(SetFault{"held", ""})};
    CHECK(absl::IsAborted(h.s.store->RecordFinding(SoonCall(), held)));
    CHECK_FALSE(h.Shown().fault);
  }
}

TEST_CASE("a volume that belongs to nobody is told of and stays", "[unit][taskmanager]") {
  Hosted h;
  h.Enrol();
  CHECK(h.Look().unknown.empty());
  const VolumeId stranger("stranger");
  h.host.AddVolume(stranger, GuestId("nobody"));
  CHECK(h.Look().unknown == std::vector<VolumeId>{stranger});
  CHECK(h.host.volumes().contains(stranger));
}

TEST_CASE("claims of a guest that was removed for good are given back", "[unit][taskmanager]") {
  Hosted h;
  h.Enrol();
  CHECK(h.Look().swept.empty());
  CHECK(h.host.ports().size() == 1);
  const NewAction remove =
      NewSeededAction(h.s.made.instance.id, "instance.create", TaskStatus::kDeleting);
  CHECK(h.s.store->BeginDelete(SoonCall(), SeededRequester("p1"), remove).ok());
  h.s.run["c"] = [](StepContext&) -> Outcome {
    return Done{Effects(BuryInstance{})};
  };
  h.s.run["a"] = nullptr;
  h.s.run.erase("a");
  for (int i = 0; i < 10; ++i) {
    h.s.RunDue();
    h.s.clock.Advance(absl::Seconds(1));
  }
  CHECK(h.Look().swept.size() == 1);
  CHECK(h.host.ports().empty());
  CHECK(h.Look().swept.empty());
}

TEST_CASE("a guest whose processes end is brought back without waiting for the next look",
          "[unit][taskmanager]") {
  Hosted h;
  h.Enrol();
  Reconciler::Options options;
  options.every = absl::Minutes(10);
  options.at_least = absl::Milliseconds(10);
  Reconciler reconciler(*h.s.store, h.host, h.lease, options);
  reconciler.Start();
  CHECK(Eventually(absl::Seconds(5), [&] { return h.host.running().size() == 1; }));
  for (int i = 0; i < 3; ++i) {
    h.host.KillProcesses(h.s.made.guest_id);
    CHECK(Eventually(absl::Seconds(1), [&] { return h.host.running().size() == 1; }));
  }
  reconciler.Stop();
}

TEST_CASE("ports that a reboot freed are claimed again", "[unit][taskmanager]") {
  Hosted h;
  const auto ports = h.host.ports();
  REQUIRE(ports.size() == 1);
  h.host.Reboot();
  CHECK(h.host.ports().empty());
  CHECK(ReclaimPlaces(SoonCall(), *h.s.store, h.host).ok());
  CHECK(h.host.ports() == ports);
}

}  // namespace
}  // namespace trove::taskmanager
