#include "services/taskmanager/reconciler.h"

#include <catch2/catch.hpp>

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

  Reconciler::Report Look() {
    WorkerLease lease(*s.store, {});
    Reconciler reconciler(*s.store, host, lease, {});
    const auto report = reconciler.ReconcileOnce(SoonCall());
    TROVE_CHECK(report.ok());
    return *report;
  }

  Scripted s;
  NoopProvisioner host;
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
