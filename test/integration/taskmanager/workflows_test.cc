#include <catch2/catch.hpp>

#include "trove/mesh/v1/operation_input.pb.h"

#include "libtrove/model/instance_state.h"
#include "test/integration/taskmanager/memory_mesh.h"
#include "test/support/eventually.h"

namespace trove::taskmanager {
namespace {

TEST_CASE("an instance is created, restarted and deleted, and nothing is left",
          "[integration][taskmanager]") {
  MemoryMesh m;
  SmallMesh& mesh = m.mesh;
  mesh.StartTaskManager();
  const NewInstance made = mesh.NewCreate();
  mesh.Create(made);
  REQUIRE(mesh.BecomesActive(made));

  const auto view = mesh.View(made.instance.id);
  REQUIRE(view.ok());
  CHECK(OperatingStatusOf(view->instance) == OperatingStatus::kHealthy);
  REQUIRE(view->endpoint);
  CHECK(view->endpoint->port >= 20000);
  const auto target = mesh.store().LoadTarget(CallFor(absl::Seconds(5)), made.operation.id);
  REQUIRE(target.ok());
  CHECK(target->guest.running_version == "10.11.6");
  CHECK(target->volume.state == VolumeState::kReady);

  // The password went from the master key's custody to the guest's, and the input is gone.
  const auto jobs = mesh.guests->jobs(made.guest_id);
  REQUIRE(jobs.size() == 1);
  const mesh::v1::PrepareJob& prepare = jobs[0].prepare();
  CHECK(jobs[0].id() == made.operation.id.value() + "/prepare/1");
  CHECK(prepare.settings().port() == view->endpoint->port);
  CHECK(prepare.settings().memory_mib() == 512);
  REQUIRE(prepare.users_size() == 1);
  CHECK(prepare.users(0).host() == "%");
  const auto key = mesh.guests->SealingKey(made.guest_id);
  REQUIRE(key.ok());
  const auto password =
      identity::OpenSealed(*key, prepare.users(0).password().box(), made.guest_id.value());
  REQUIRE(password.ok());
  CHECK(password->Reveal() == "secret");
  CHECK(Eventually(absl::Seconds(5), [&] { return mesh.guests->unsettled() == 0; }));

  const OperationId restart =
      mesh.Act(made.instance.id, "instance.restart", TaskStatus::kRebooting);
  REQUIRE(mesh.Ends(restart));
  CHECK(mesh.Get(restart).state == OperationState::kSucceeded);
  CHECK(mesh.View(made.instance.id)->instance.task == TaskStatus::kNone);

  const OperationId gone = mesh.Delete(made.instance.id);
  REQUIRE(mesh.Ends(gone));
  CHECK(mesh.Get(gone).state == OperationState::kSucceeded);
  CHECK(NothingIsLeft(mesh));
  CHECK(absl::IsNotFound(mesh.View(made.instance.id).status()));
  CHECK(mesh.guests->refused() == 0);
}

TEST_CASE("a provisioner that fails for a while delays a create and no more",
          "[integration][taskmanager]") {
  MemoryMesh m;
  SmallMesh& mesh = m.mesh;
  const auto* method = GENERATE("Place", "EnsureVolume", "Ensure");
  CAPTURE(method);
  mesh.provisioner.FailNext(method, 3, absl::UnavailableError("not now"));
  mesh.StartTaskManager();
  const NewInstance made = mesh.NewCreate();
  mesh.Create(made);
  CHECK(mesh.BecomesActive(made));
  CHECK(mesh.provisioner.calls(method) >= 4);
}

TEST_CASE("a create that cannot work shows why, keeps what it made, and can be deleted",
          "[integration][taskmanager]") {
  MemoryMesh m;
  SmallMesh& mesh = m.mesh;
  mesh.provisioner.FailNext("Ensure", 1, absl::FailedPreconditionError("no keeper here"));
  mesh.StartTaskManager();
  const NewInstance made = mesh.NewCreate();
  mesh.Create(made);
  REQUIRE(mesh.Ends(made.operation.id));
  const Operation failed = mesh.Get(made.operation.id);
  CHECK(failed.state == OperationState::kFailed);
  CHECK(failed.error == "step guest: no keeper here");
  CHECK_FALSE(failed.help.empty());
  const auto view = mesh.View(made.instance.id);
  REQUIRE(view.ok());
  CHECK(ShownStatusOf(view->instance, false) == ShownStatus::kError);
  REQUIRE(view->instance.fault);
  CHECK(view->instance.fault->message == failed.error);
  CHECK(mesh.provisioner.volumes().size() == 1);

  REQUIRE(mesh.Ends(mesh.Delete(made.instance.id)));
  CHECK(NothingIsLeft(mesh));
}

TEST_CASE("a job that failed and may be repeated is repeated under a new id",
          "[integration][taskmanager]") {
  MemoryMesh m;
  SmallMesh& mesh = m.mesh;
  mesh.guests->FailNextJobs(1, "the disk was slow", true);
  mesh.StartTaskManager();
  const NewInstance made = mesh.NewCreate();
  mesh.Create(made);
  REQUIRE(mesh.BecomesActive(made));
  const auto jobs = mesh.guests->jobs(made.guest_id);
  REQUIRE(jobs.size() == 2);
  CHECK(jobs[1].id() == made.operation.id.value() + "/prepare/2");
  CHECK(mesh.Get(made.operation.id).steps[4].last_error == "the disk was slow");
}

TEST_CASE("a restart that fails ends the task and says why", "[integration][taskmanager]") {
  MemoryMesh m;
  SmallMesh& mesh = m.mesh;
  mesh.StartTaskManager();
  const NewInstance made = mesh.NewCreate();
  mesh.Create(made);
  REQUIRE(mesh.BecomesActive(made));
  mesh.guests->FailNextJobs(1, "mariadbd exited 1", false);
  const OperationId restart =
      mesh.Act(made.instance.id, "instance.restart", TaskStatus::kRebooting);
  REQUIRE(mesh.Ends(restart));
  CHECK(mesh.Get(restart).error == "step restart: mariadbd exited 1");
  const auto view = mesh.View(made.instance.id);
  REQUIRE(view.ok());
  CHECK(view->instance.task == TaskStatus::kNone);
  REQUIRE(view->instance.fault);
  CHECK(view->instance.fault->message == "step restart: mariadbd exited 1");
}

TEST_CASE("a report that is lost is asked for again and the job is done once",
          "[integration][taskmanager]") {
  MemoryMesh m;
  SmallMesh& mesh = m.mesh;
  mesh.guests->LoseReports(2);
  mesh.StartTaskManager();
  const NewInstance made = mesh.NewCreate();
  mesh.Create(made);
  CHECK(mesh.BecomesActive(made));
  CHECK(mesh.guests->jobs(made.guest_id).size() == 1);
}

TEST_CASE("an agent that dies in the middle of a job does it again", "[integration][taskmanager]") {
  SimulatedGuests::Options options;
  options.job_time = absl::Milliseconds(300);
  MemoryMesh m(std::move(options));
  SmallMesh& mesh = m.mesh;
  mesh.StartTaskManager();
  const NewInstance made = mesh.NewCreate();
  mesh.Create(made);
  REQUIRE(
      Eventually(absl::Seconds(20), [&] { return mesh.guests->jobs(made.guest_id).size() == 1; }));
  mesh.guests->CrashAgent(made.guest_id);
  REQUIRE(mesh.BecomesActive(made));
  CHECK(mesh.guests->jobs(made.guest_id).size() == 2);
}

TEST_CASE("a guest whose processes die during a create is started again",
          "[integration][taskmanager]") {
  SimulatedGuests::Options options;
  options.job_time = absl::Milliseconds(300);
  MemoryMesh m(std::move(options));
  SmallMesh& mesh = m.mesh;
  mesh.StartTaskManager();
  const NewInstance made = mesh.NewCreate();
  mesh.Create(made);
  REQUIRE(
      Eventually(absl::Seconds(20), [&] { return mesh.guests->jobs(made.guest_id).size() == 1; }));
  mesh.provisioner.KillProcesses(made.guest_id);
  CHECK(mesh.BecomesActive(made));
  CHECK(mesh.provisioner.running().contains(made.guest_id));
}

TEST_CASE("a delete during a create takes over and leaves nothing", "[integration][taskmanager]") {
  MemoryMesh m;
  SmallMesh& mesh = m.mesh;
  const auto* method = GENERATE("Place", "EnsureVolume", "Ensure");
  CAPTURE(method);
  mesh.provisioner.SetDelay(method, absl::Milliseconds(300));
  mesh.StartTaskManager();
  const NewInstance made = mesh.NewCreate();
  mesh.Create(made);
  REQUIRE(Eventually(absl::Seconds(20), [&] { return mesh.provisioner.calls(method) > 0; }));
  const OperationId gone = mesh.Delete(made.instance.id);
  REQUIRE(mesh.Ends(gone));
  CHECK(mesh.Get(gone).state == OperationState::kSucceeded);
  CHECK(mesh.Get(made.operation.id).state == OperationState::kCancelled);
  // The call of the create that was under way comes back after all, and changes nothing.
  mesh.StopTaskManager();
  CHECK(NothingIsLeft(mesh));
}

TEST_CASE("a delete insists as long as the host does not obey", "[integration][taskmanager]") {
  MemoryMesh m;
  SmallMesh& mesh = m.mesh;
  mesh.StartTaskManager();
  const NewInstance made = mesh.NewCreate();
  mesh.Create(made);
  REQUIRE(mesh.BecomesActive(made));
  mesh.provisioner.FailNext("Stop", 1, absl::InternalError("no"));
  mesh.provisioner.FailNext("Remove", 2, absl::FailedPreconditionError("no"));
  mesh.provisioner.FailNext("RemoveVolume", 2, absl::PermissionDeniedError("no"));
  mesh.provisioner.FailNext("Release", 1, absl::InternalError("no"));
  const OperationId gone = mesh.Delete(made.instance.id);
  REQUIRE(mesh.Ends(gone));
  CHECK(mesh.Get(gone).state == OperationState::kSucceeded);
  CHECK(NothingIsLeft(mesh));
}

TEST_CASE("a create goes on when the bus comes back", "[integration][taskmanager]") {
  SimulatedGuests::Options options;
  options.job_time = absl::Milliseconds(200);
  MemoryMesh m(std::move(options));
  SmallMesh& mesh = m.mesh;
  MemoryBus* cut = GENERATE(0, 1, 2) == 0 ? &m.task_manager_bus : m.guests_bus.get();
  const bool early = GENERATE(true, false);
  CAPTURE(early);
  if (early) cut->Cut();
  mesh.StartTaskManager();
  const NewInstance made = mesh.NewCreate();
  mesh.Create(made);
  const auto reached = [&] {
    return early ? mesh.provisioner.running().contains(made.guest_id)
                 : mesh.guests->jobs(made.guest_id).size() == 1;
  };
  REQUIRE(Eventually(absl::Seconds(20), reached));
  if (!early) cut->Cut();
  CHECK(Eventually(absl::Seconds(10), [&] {
    const Operation operation = mesh.Get(made.operation.id);
    return IsEnded(operation.state) || !operation.reason.empty();
  }));
  cut->Mend();
  CHECK(mesh.BecomesActive(made));
}

TEST_CASE("events reach the stream once each and in the store's order",
          "[integration][taskmanager]") {
  MemoryMesh m;
  SmallMesh& mesh = m.mesh;
  m.task_manager_bus.Cut();
  mesh.StartTaskManager();
  const NewInstance made = mesh.NewCreate();
  mesh.Create(made);
  REQUIRE(Eventually(absl::Seconds(10), [&] { return mesh.provisioner.running().size() == 1; }));
  CHECK(m.task_manager_bus.events().empty());
  m.task_manager_bus.Mend();
  REQUIRE(mesh.BecomesActive(made));
  REQUIRE(mesh.Ends(mesh.Delete(made.instance.id)));
  std::vector<EventRecord> stored;
  REQUIRE(Eventually(absl::Seconds(20), [&] {
    auto read = mesh.store().ReadEvents(CallFor(absl::Seconds(5)), EventFilter{}, 0, 1000);
    if (!read.ok()) return false;
    stored = *std::move(read);
    const auto counts = mesh.store().CountEngine(CallFor(absl::Seconds(5)), WorkerId("x"));
    return counts.ok() && counts->events_waiting == 0 &&
           m.task_manager_bus.events().size() == stored.size();
  }));
  CHECK(stored.size() > 5);
  const std::vector<StoredEvent> published = m.task_manager_bus.events();
  for (std::size_t i = 0; i < stored.size(); ++i) {
    CAPTURE(i);
    CHECK(published[i].msg_id == stored[i].id);
    mesh::v1::Event event;
    REQUIRE(event.ParseFromString(published[i].payload));
    CHECK(event.position() == stored[i].position);
    CHECK(event.type() == stored[i].type);
    CHECK(event.source() == "/trove/0a1b2c3d");
  }
}

}  // namespace
}  // namespace trove::taskmanager
