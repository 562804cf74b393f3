// Every operation on instances: well, badly, cancelled and pre-empted at every step, retried.

#include <set>
#include <string>

#include <catch2/catch.hpp>

#include "libtrove/model/instance_state.h"
#include "libtrove/model/manifest.h"
#include "test/integration/taskmanager/every_operation.h"
#include "test/integration/taskmanager/memory_mesh.h"
#include "test/support/eventually.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

/// A mesh with one active instance, charged for what it has.
struct Stage {
  explicit Stage(SimulatedGuests::Options options = {}) : m(std::move(options)) {
    MakeGroup(mesh);
    mesh.StartTaskManager();
    made = mesh.NewCreate();
    made.quota = InstanceQuota(512, 1);
    mesh.Create(made);
    REQUIRE(mesh.BecomesActive(made));
    CHECK(Settles("service 33"));
  }

  /// Brings the instance to where an operation of this kind begins.
  void BringTo(const std::string& kind) {
    if (kind == "instance.detach") Succeed("instance.attach");
    if (kind == "instance.start") Succeed("instance.stop");
  }

  OperationId Begin(const std::string& kind) { return mesh.Begin(ActionOf(made, kind)); }

  void Succeed(const std::string& kind) {
    const OperationId operation = Begin(kind);
    REQUIRE(mesh.Ends(operation));
    INFO(mesh.Get(operation).error);
    REQUIRE(mesh.Get(operation).state == OperationState::kSucceeded);
  }

  /// Whether the picture comes to have `part`: heartbeats arrive when they do.
  bool Settles(const std::string& part) {
    return Eventually(kPatience,
                      [&] { return mesh.Picture(made).find(part) != std::string::npos; });
  }
  bool Becomes(const std::string& picture) {
    return Eventually(kPatience, [&] { return mesh.Picture(made) == picture; });
  }

  std::string Fault() {
    const auto view = mesh.View(made.instance.id);
    return view.ok() && view->instance.fault ? view->instance.fault->message : "";
  }

  MemoryMesh m;
  SmallMesh& mesh = m.mesh;
  NewInstance made;
};

TEST_CASE("a server is stopped, started, and started by a restart", "[integration][taskmanager]") {
  Stage s;
  const std::string before = s.mesh.Picture(s.made);
  s.Succeed("instance.stop");
  CHECK(s.Settles("service 4"));
  CHECK(s.Settles("SERVER_STATUS_SHUTDOWN"));
  s.Succeed("instance.start");
  CHECK(s.Becomes(before));
  s.Succeed("instance.stop");
  s.Succeed("instance.restart");
  CHECK(s.Becomes(before));
}

TEST_CASE("an instance gets another flavor, and a larger volume", "[integration][taskmanager]") {
  Stage s;
  s.Succeed("instance.resize");
  const Flavor flavor = DefaultFlavors().at(1);
  CHECK(s.Settles("flavor " + flavor.id.value()));
  CHECK(s.Settles("memory " + std::to_string(flavor.ram_mib)));
  CHECK(s.Settles("limits " + std::to_string(flavor.ram_mib)));
  CHECK(s.Settles("ram " + std::to_string(flavor.ram_mib) + "+0"));
  s.Succeed("instance.grow");
  CHECK(s.Settles("volumes 2+0"));
  CHECK(s.Settles(" volume 2 "));
  CHECK(s.Settles("size 2 version"));
  CHECK(s.mesh.guests->settings(s.made.guest_id).volume_size_gib() == 2);
  CHECK(s.mesh.guests->settings(s.made.guest_id).memory_mib() == flavor.ram_mib);
}

TEST_CASE("a stopped server stays so when its instance is resized", "[integration][taskmanager]") {
  Stage s;
  s.Succeed("instance.stop");
  s.Succeed("instance.resize");
  CHECK(s.Settles("SERVER_STATUS_SHUTDOWN"));
  CHECK(s.Settles("service 4"));
}

TEST_CASE("a configuration group is attached and detached", "[integration][taskmanager]") {
  Stage s;
  const std::string before = s.mesh.Picture(s.made);
  const bool restart = GENERATE(false, true);
  s.mesh.guests->SetRestartRequired(restart);
  s.Succeed("instance.attach");
  CHECK(s.Settles("group " + kGroup.value()));
  CHECK(s.Settles("max_connections=200"));
  const auto view = s.mesh.View(s.made.instance.id);
  CHECK(ShownStatusOf(view->instance, false) ==
        (restart ? ShownStatus::kRestartRequired : ShownStatus::kActive));
  if (restart) {
    s.Succeed("instance.restart");
    CHECK(ShownStatusOf(s.mesh.View(s.made.instance.id)->instance, false) == ShownStatus::kActive);
    CHECK(s.Settles("service 33"));
    s.mesh.guests->SetRestartRequired(false);
  }
  s.Succeed("instance.detach");
  CHECK(s.Becomes(before));
}

TEST_CASE("an instance gets another version, and nothing is kept", "[integration][taskmanager]") {
  Stage s;
  s.Succeed("instance.upgrade");
  CHECK(s.Settles("version " + SmallMesh::NewerVersion().id.value()));
  CHECK(s.Settles("engine /opt/mariadb-11.4 number 11.4.2"));
  CHECK(s.Settles("content 2 snapshots 0"));
  const auto target =
      s.mesh.store().LoadTarget(CallFor(absl::Seconds(5)), s.Begin("instance.stop"));
  REQUIRE(target.ok());
  CHECK(target->guest.running_version == "11.4.2");
}

TEST_CASE("a guest is rebuilt around its data", "[integration][taskmanager]") {
  Stage s;
  s.Succeed("instance.attach");
  const std::string before = s.mesh.Picture(s.made);
  const auto key = s.mesh.guests->SealingKey(s.made.guest_id);
  const bool dead = GENERATE(false, true);
  if (dead) s.mesh.provisioner.KillProcesses(s.made.guest_id);
  const OperationId rebuild = s.Begin("instance.rebuild");
  REQUIRE(s.mesh.Ends(rebuild));
  INFO(s.mesh.Get(rebuild).error);
  REQUIRE(s.mesh.Get(rebuild).state == OperationState::kSucceeded);
  CHECK(s.Becomes(before));
  CHECK(s.mesh.guests->SealingKey(s.made.guest_id)->public_key().Raw() != key->public_key().Raw());
}

TEST_CASE("what fails for good is undone, and the instance says why",
          "[integration][taskmanager]") {
  using Job = mesh::v1::Job;
  const auto [kind, job, method] = GENERATE(table<std::string, Job::KindCase, std::string>({
      {"instance.restart", Job::kRestart, ""},
      {"instance.stop", Job::kStop, ""},
      {"instance.resize", Job::kConfigure, ""},
      {"instance.resize", Job::KIND_NOT_SET, "Resize"},
      {"instance.grow", Job::KIND_NOT_SET, "EnsureVolume"},
      {"instance.attach", Job::kConfigure, ""},
      {"instance.detach", Job::kConfigure, ""},
      {"instance.upgrade", Job::kStop, ""},
      {"instance.upgrade", Job::KIND_NOT_SET, "SnapshotVolume"},
      {"instance.upgrade", Job::kUpgrade, ""},
      {"instance.rebuild", Job::KIND_NOT_SET, "Reset"},
  }));
  CAPTURE(kind, job, method);
  Stage s;
  s.BringTo(kind);
  const std::string before = s.mesh.Picture(s.made);
  if (method.empty()) {
    s.mesh.guests->FailNext(job, 1, "it broke", false);
  } else {
    s.mesh.provisioner.FailNext(method, 1, absl::FailedPreconditionError("it broke"));
  }
  const OperationId operation = s.Begin(kind);
  REQUIRE(s.mesh.Ends(operation));
  const Operation failed = s.mesh.Get(operation);
  INFO(failed.error);
  CHECK(failed.state == OperationState::kFailed);
  CHECK_THAT(failed.error, Catch::Contains("it broke"));
  CHECK_THAT(failed.error, !Catch::Contains("not undone"));
  CHECK_FALSE(failed.help.empty());
  CHECK(s.Fault() == failed.error);
  // A rebuild has stopped the server by then, and is not undone.
  if (kind != "instance.rebuild") {
    CHECK(s.Becomes(before));
    INFO(before << s.mesh.Picture(s.made));
    CHECK(s.mesh.Picture(s.made) == before);
  }
  // And it can be tried again, from as far back as it was undone.
  REQUIRE(s.mesh.Retry(operation).ok());
  REQUIRE(s.mesh.Ends(operation));
  INFO(s.mesh.Get(operation).error);
  CHECK(s.mesh.Get(operation).state == OperationState::kSucceeded);
  CHECK(s.mesh.provisioner.snapshots().empty());
}

TEST_CASE("an upgrade that fails again after a retry is put back again",
          "[integration][taskmanager]") {
  Stage s;
  const bool snapshot_stays = GENERATE(false, true);
  CAPTURE(snapshot_stays);
  const std::string before = s.mesh.Picture(s.made);
  s.mesh.guests->FailNext(mesh::v1::Job::kUpgrade, 1, "it broke", false);
  if (snapshot_stays)
    s.mesh.provisioner.FailNext("RemoveSnapshot", 3, absl::InternalError("not now"));
  const OperationId upgrade = s.Begin("instance.upgrade");
  REQUIRE(s.mesh.Ends(upgrade));
  CHECK(s.Becomes(before));
  // What tenants have written since is not lost by going back once more.
  s.mesh.provisioner.WriteTo(s.made.guest_id);
  const std::string written = s.mesh.Picture(s.made);
  CHECK(written != before);
  s.mesh.guests->FailNext(mesh::v1::Job::kUpgrade, 1, "it broke", false);
  REQUIRE(s.mesh.Retry(upgrade).ok());
  REQUIRE(s.mesh.Ends(upgrade));
  CHECK(s.mesh.Get(upgrade).state == OperationState::kFailed);
  CHECK(s.mesh.provisioner.calls("RevertVolume") == 2);
  CHECK(s.Becomes(written));
  INFO(written << s.mesh.Picture(s.made));
  CHECK(s.mesh.Picture(s.made) == written);
}

TEST_CASE("a version that cannot be put back says what remains", "[integration][taskmanager]") {
  Stage s;
  s.mesh.guests->FailNext(mesh::v1::Job::kUpgrade, 2, "it broke", false);
  const OperationId upgrade = s.Begin("instance.upgrade");
  REQUIRE(s.mesh.Ends(upgrade));
  CHECK(s.mesh.Get(upgrade).state == OperationState::kFailed);
  CHECK_THAT(s.mesh.Get(upgrade).error, Catch::Contains("not undone: stop (it broke)"));
  CHECK(ShownStatusOf(s.mesh.View(s.made.instance.id)->instance, false) == ShownStatus::kError);
  // The data is the old one all the same.
  CHECK(s.Settles("content 1 snapshots 0"));
}

TEST_CASE("a job that failed and may be repeated is repeated in every operation",
          "[integration][taskmanager]") {
  const std::string kind = GENERATE(as<std::string>{},
                                    "instance.restart",
                                    "instance.stop",
                                    "instance.start",
                                    "instance.resize",
                                    "instance.grow",
                                    "instance.attach",
                                    "instance.upgrade");
  CAPTURE(kind);
  Stage s;
  s.BringTo(kind);
  s.mesh.guests->FailNextJobs(1, "not now", true);
  s.Succeed(kind);
}

TEST_CASE("a provisioner that fails for a while delays an operation and no more",
          "[integration][taskmanager]") {
  const auto [kind, method] = GENERATE(table<std::string, std::string>({
      {"instance.resize", "Resize"},
      {"instance.grow", "EnsureVolume"},
      {"instance.grow", "Ensure"},
      {"instance.upgrade", "SnapshotVolume"},
      {"instance.upgrade", "RemoveSnapshot"},
      {"instance.rebuild", "Reset"},
      {"instance.rebuild", "Ensure"},
  }));
  CAPTURE(kind, method);
  Stage s;
  s.mesh.provisioner.FailNext(method, 3, absl::UnavailableError("not now"));
  s.Succeed(kind);
  CHECK(s.mesh.provisioner.snapshots().empty());
}

TEST_CASE("a snapshot that cannot be removed does not fail an upgrade",
          "[integration][taskmanager]") {
  Stage s;
  s.mesh.provisioner.FailNext("RemoveSnapshot", 100, absl::InternalError("no"));
  const OperationId upgrade = s.Begin("instance.upgrade");
  REQUIRE(s.mesh.Ends(upgrade));
  CHECK(s.mesh.Get(upgrade).state == OperationState::kSucceeded);
  CHECK(s.mesh.provisioner.snapshots() ==
        std::set<std::string>{s.made.volume_id.value() + "/before-" + upgrade.value()});
  s.mesh.provisioner.FailNext("RemoveSnapshot", 0, absl::OkStatus());
  REQUIRE(s.mesh.Ends(s.mesh.Delete(s.made.instance.id)));
  CHECK(NothingIsLeft(s.mesh));
}

TEST_CASE("a copy that takes longer than a thread may be held goes on piece by piece",
          "[integration][taskmanager]") {
  Stage s;
  s.mesh.provisioner.FailNext(
      "SnapshotVolume", 15, absl::DeadlineExceededError("copied 100 MiB so far"));
  s.Succeed("instance.upgrade");
  CHECK(s.mesh.provisioner.calls("SnapshotVolume") == 16);
}

TEST_CASE("a cancel at any step leaves the instance as it was", "[integration][taskmanager]") {
  const auto i = GENERATE(range(std::size_t{0}, EveryMoment().size()));
  const Moment& moment = EveryMoment()[i];
  CAPTURE(moment.kind, moment.step);
  Stage s;
  s.BringTo(moment.kind);
  const std::string before = s.mesh.Picture(s.made);
  auto hold = std::make_unique<Hold>(s.mesh, s.made.guest_id, moment);
  const OperationId operation = s.Begin(moment.kind);
  REQUIRE(hold->Reached());
  CHECK(Eventually(kPatience,
                   [&] { return s.mesh.Get(operation).cancellable == moment.cancellable; }));
  const absl::Status cancelled = s.mesh.Cancel(operation);
  CHECK(cancelled.ok() == moment.cancellable);
  // A job on its way back may be of the kind that is held; a call is interrupted by itself.
  if (moment.cancellable)
    CHECK(Eventually(kPatience, [&] {
      const auto state = s.mesh.Get(operation).state;
      return state == OperationState::kCancelling || IsEnded(state);
    }));
  hold.reset();
  REQUIRE(s.mesh.Ends(operation));
  INFO(s.mesh.Get(operation).error);
  CHECK(s.mesh.Get(operation).state ==
        (moment.cancellable ? OperationState::kCancelled : OperationState::kSucceeded));
  if (!moment.cancellable) return;
  CHECK(s.Becomes(before));
  INFO(before << s.mesh.Picture(s.made));
  CHECK(s.mesh.Picture(s.made) == before);
}

TEST_CASE("a create that is cancelled at any step leaves nothing", "[integration][taskmanager]") {
  const auto i = GENERATE(range(std::size_t{0}, EveryCreateMoment().size()));
  const Moment& moment = EveryCreateMoment()[i];
  CAPTURE(moment.step);
  MemoryMesh m;
  SmallMesh& mesh = m.mesh;
  mesh.StartTaskManager();
  NewInstance made = mesh.NewCreate();
  made.quota = InstanceQuota(512, 1);
  const std::string before = mesh.Picture(made);
  auto hold = std::make_unique<Hold>(mesh, made.guest_id, moment);
  mesh.Create(made);
  REQUIRE(hold->Reached());
  REQUIRE(mesh.Cancel(made.operation.id).ok());
  hold.reset();
  REQUIRE(mesh.Ends(made.operation.id));
  CHECK(mesh.Get(made.operation.id).state == OperationState::kCancelled);
  CHECK(NothingIsLeft(mesh));
  CHECK(mesh.Picture(made) == before);
}

TEST_CASE("a delete takes the place of any operation at any step", "[integration][taskmanager]") {
  const auto i = GENERATE(range(std::size_t{0}, EveryMoment().size()));
  const Moment& moment = EveryMoment()[i];
  CAPTURE(moment.kind, moment.step);
  Stage s;
  s.BringTo(moment.kind);
  auto hold = std::make_unique<Hold>(s.mesh, s.made.guest_id, moment);
  const OperationId operation = s.Begin(moment.kind);
  REQUIRE(hold->Reached());
  const OperationId gone = s.mesh.Delete(s.made.instance.id);
  hold.reset();
  REQUIRE(s.mesh.Ends(gone));
  CHECK(s.mesh.Get(gone).state == OperationState::kSucceeded);
  CHECK(s.mesh.Get(operation).state == OperationState::kCancelled);
  // The call that was under way comes back after all, and changes nothing.
  s.mesh.StopTaskManager();
  CHECK(NothingIsLeft(s.mesh));
  CHECK_THAT(s.mesh.Picture(s.made), Catch::Contains("instances 0+0\nram 0+0\nvolumes 0+0\n"));
}

TEST_CASE("an operation goes on when the bus comes back", "[integration][taskmanager]") {
  const std::string kind =
      GENERATE(as<std::string>{}, "instance.restart", "instance.resize", "instance.upgrade");
  CAPTURE(kind);
  Stage s;
  s.m.task_manager_bus.Cut();
  const OperationId operation = s.Begin(kind);
  CHECK(Eventually(kPatience, [&] {
    return s.mesh.Get(operation).reason.find("waits for the guest agent") == 0;
  }));
  s.m.task_manager_bus.Mend();
  REQUIRE(s.mesh.Ends(operation));
  CHECK(s.mesh.Get(operation).state == OperationState::kSucceeded);
}

TEST_CASE("a create that failed is retried at the step that failed", "[integration][taskmanager]") {
  MemoryMesh m;
  SmallMesh& mesh = m.mesh;
  mesh.guests->FailNextJobs(1, "no room", false);
  mesh.StartTaskManager();
  const NewInstance made = mesh.NewCreate();
  mesh.Create(made);
  REQUIRE(mesh.Ends(made.operation.id));
  CHECK(mesh.Get(made.operation.id).state == OperationState::kFailed);
  REQUIRE(mesh.Retry(made.operation.id).ok());
  CHECK(mesh.BecomesActive(made));
  CHECK(mesh.provisioner.calls("EnsureVolume") == 1);
  const auto jobs = mesh.guests->jobs(made.guest_id);
  REQUIRE(jobs.size() == 2);
  CHECK(jobs[0].id() != jobs[1].id());
}

}  // namespace
}  // namespace trove::taskmanager
