#include "services/taskmanager/jobs.h"

#include <atomic>
#include <memory>
#include <optional>
#include <variant>

#include <catch2/catch.hpp>

#include "test/support/eventually.h"
#include "test/support/memory_bus.h"
#include "test/unit/taskmanager/scripted.h"

namespace trove::taskmanager {
namespace {

/// Step a of an operation is a job for its guest; a test answers as the guest.
struct JobMesh {
  JobMesh() {
    auto key = identity::PrivateKey::Generate(identity::KeyKind::kEd25519);
    TROVE_CHECK(key.ok());
    auto signer = identity::JobSigner::Make(*std::move(key));
    TROVE_CHECK(signer.ok());
    auto made = identity::JobVerifier::FromPems({signer->public_key_pem()});
    TROVE_CHECK(made.ok());
    verifier = *std::move(made);
    jobs = std::make_unique<Jobs>(bus, *signer, Jobs::Options{});
    s.run["a"] = [this](StepContext& context) -> Outcome {
      return Drive(context);
    };
    s.undo["a"] = [this](StepContext& context) -> Outcome {
      if (auto stopping = jobs->Stop(context, s.made.guest_id)) return *std::move(stopping);
      return Drive(context);
    };
    s.Accept();
  }

  Outcome Drive(StepContext& context) {
    auto driven = jobs->Drive(context, s.made.guest_id, absl::Minutes(1), [] {
      mesh::v1::Job job;
      job.mutable_restart();
      return absl::StatusOr<mesh::v1::Job>(job);
    });
    if (std::holds_alternative<Outcome>(driven)) return std::get<Outcome>(driven);
    return Done{};
  }

  /// Answers cancels from now on.
  void ListenForCancel(const mesh::v1::JobAck& ack) {
    auto subscribed = guest->Subscribe(SoonCall(),
                                       *GuestCancelSubject(s.made.guest_id),
                                       {},
                                       [this, ack](const BusMessage& message) {
                                         mesh::v1::JobRef ref;
                                         TROVE_CHECK(ref.ParseFromString(message.payload));
                                         message.reply(ack.SerializeAsString()).IgnoreError();
                                         const MutexLock lock(mutex);
                                         cancelled.push_back(ref);
                                       });
    TROVE_CHECK(subscribed.ok());
    listening_for_cancel = *std::move(subscribed);
  }
  std::vector<mesh::v1::JobRef> Cancelled() {
    const MutexLock lock(mutex);
    return cancelled;
  }

  /// Answers jobs from now on.
  void Listen(const mesh::v1::JobAck& ack) {
    const auto subject = GuestJobSubject(s.made.guest_id);
    auto subscribed =
        guest->Subscribe(SoonCall(), *subject, {}, [this, ack](const BusMessage& message) {
          mesh::v1::JobEnvelope envelope;
          TROVE_CHECK(envelope.ParseFromString(message.payload));
          TROVE_CHECK(
              verifier->Verify(envelope.job(), {envelope.key_id(), envelope.signature()}).ok());
          mesh::v1::Job job;
          TROVE_CHECK(job.ParseFromString(envelope.job()));
          TROVE_CHECK(message.reply(ack.SerializeAsString()).ok());
          const MutexLock lock(mutex);
          seen.push_back(job);
        });
    TROVE_CHECK(subscribed.ok());
    listening = *std::move(subscribed);
  }

  /// Whether so many jobs have come, and have been answered.
  bool Sees(std::size_t count) {
    return Eventually(absl::Seconds(10), [&] { return Seen().size() >= count; }) &&
           Seen().size() == count;
  }
  std::vector<mesh::v1::Job> Seen() {
    const MutexLock lock(mutex);
    return seen;
  }

  void Progress(const std::string& attempt, const std::string& words) {
    const std::string id = s.made.operation.id.value() + "/a/" + attempt;
    TROVE_CHECK(s.store
                    ->RecordJobResult(SoonCall(),
                                      {.guest_id = s.made.guest_id,
                                       .job_id = JobId(id),
                                       .final = false,
                                       .progress = words})
                    .ok());
  }

  void Report(const std::string& attempt,
              mesh::v1::JobReport report,
              const std::string& step = "a") {
    const std::string id = s.made.operation.id.value() + "/" + step + "/" + attempt;
    report.set_job_id(id);
    report.set_guest_id(s.made.guest_id.value());
    TROVE_CHECK(s.store
                    ->RecordJobResult(SoonCall(),
                                      {.guest_id = s.made.guest_id,
                                       .job_id = JobId(id),
                                       .payload = report.SerializeAsString()})
                    .ok());
  }

  Scripted s;
  MemoryBus bus;
  std::unique_ptr<MemoryBus> guest = bus.Peer();
  std::optional<identity::JobVerifier> verifier;
  Mutex mutex;
  std::vector<mesh::v1::Job> seen;
  std::vector<mesh::v1::JobRef> cancelled;
  std::unique_ptr<Subscription> listening;
  std::unique_ptr<Subscription> listening_for_cancel;
  std::unique_ptr<Jobs> jobs;
};

mesh::v1::JobReport ReportOf(mesh::v1::JobReport::State state, bool retryable = false) {
  mesh::v1::JobReport report;
  report.set_state(state);
  report.set_error("it broke");
  report.set_retryable(retryable);
  return report;
}

TEST_CASE("a job is signed, sent, waited for and settled", "[unit][taskmanager]") {
  JobMesh m;
  m.Listen({});
  std::atomic<bool> settled = false;
  const auto subscription = m.guest->Subscribe(
      SoonCall(), *GuestSettledSubject(m.s.made.guest_id), {}, [&](const BusMessage& message) {
        mesh::v1::JobRef ref;
        settled = ref.ParseFromString(message.payload) &&
                  ref.job_id() == m.s.made.operation.id.value() + "/a/1";
      });
  REQUIRE(subscription.ok());
  m.s.RunDue();
  REQUIRE(m.Sees(1));
  const mesh::v1::Job job = m.Seen()[0];
  CHECK(job.id() == m.s.made.operation.id.value() + "/a/1");
  CHECK(job.guest_id() == m.s.made.guest_id.value());
  CHECK(job.generation() > 0);
  CHECK(job.time_limit().seconds() == 60);
  CHECK(m.s.Get().awaited_signal == "job:" + job.id());
  CHECK(m.s.RunDue() == 0);

  CHECK(m.s.Get().reason == "waits for the guest to do it");

  // Nothing came but a word on how it goes: the same job again, with a higher generation.
  m.Progress("1", "starting the server");
  m.s.clock.Advance(absl::Seconds(1));
  m.s.RunDue();  // it has been heard
  m.s.clock.Advance(absl::Seconds(4));
  m.s.RunDue();
  REQUIRE(m.Sees(2));
  CHECK(m.Seen()[1].id() == job.id());
  CHECK(m.Seen()[1].generation() > job.generation());
  CHECK_FALSE(settled);
  CHECK(m.s.Get().reason == "starting the server");

  m.Report("1", ReportOf(mesh::v1::JobReport::STATE_SUCCEEDED));
  m.s.RunToEnd();
  CHECK(m.s.Get().state == OperationState::kSucceeded);
  CHECK(m.Seen().size() == 2);
  CHECK(Eventually(absl::Seconds(5), [&] { return settled.load(); }));
}

TEST_CASE("a guest that is not there costs no attempt", "[unit][taskmanager]") {
  JobMesh m;
  for (int i = 0; i < 5; ++i) {
    m.s.RunDue();
    CHECK(m.s.Get().state == OperationState::kWaiting);
    CHECK(m.s.Get().steps[0].attempts == 1);
    m.s.clock.Advance(absl::Seconds(5));
    if (i > 1) CHECK(m.s.Get().reason.starts_with("waits for the guest agent"));
  }
  m.Listen({});
  m.s.RunDue();
  CHECK(m.Sees(1));
}

TEST_CASE("what a report means for the operation", "[unit][taskmanager]") {
  const auto [state, retryable, again] = GENERATE(table<mesh::v1::JobReport::State, bool, bool>({
      {mesh::v1::JobReport::STATE_FAILED, true, true},
      {mesh::v1::JobReport::STATE_FAILED, false, false},
      {mesh::v1::JobReport::STATE_INTERRUPTED, false, true},
      {mesh::v1::JobReport::STATE_CANCELLED, false, true},
  }));
  CAPTURE(state, retryable);
  JobMesh m;
  m.Listen({});
  m.s.RunDue();
  REQUIRE(m.Sees(1));
  m.Report("1", ReportOf(state, retryable));
  m.s.RunDue();
  CHECK(m.s.Get().state == (again ? OperationState::kWaiting : OperationState::kCancelling));
  if (!again) {
    CHECK(m.s.Get().error == "step a: it broke");
    return;
  }
  m.s.clock.Advance(absl::Seconds(2));
  m.s.RunDue();
  REQUIRE(m.Sees(2));
  CHECK(m.Seen()[1].id() == m.s.made.operation.id.value() + "/a/2");
}

TEST_CASE("what a refusal means for the operation", "[unit][taskmanager]") {
  const auto [reason, again] = GENERATE(table<std::string, bool>({
      {"STALE_GENERATION", true},
      {"EXPIRED", true},
      {"BUSY", true},
      {"BAD_SIGNATURE", false},
      {"UNKNOWN_KIND", false},
  }));
  CAPTURE(reason);
  JobMesh m;
  mesh::v1::JobAck ack;
  ack.set_refused("no");
  ack.set_reason(reason);
  m.Listen(ack);
  m.s.RunDue();
  REQUIRE(m.Sees(1));
  m.s.clock.Advance(absl::Seconds(1));
  m.s.RunDue();
  CHECK(m.s.Get().state == (again ? OperationState::kWaiting : OperationState::kCancelling));
  CHECK_THAT(again ? m.s.Get().reason : m.s.Get().error, Catch::Contains("no"));
  CHECK(m.s.Get().steps[0].attempts == 1);
}

TEST_CASE("a guest that does not answer holds no thread", "[unit][taskmanager]") {
  JobMesh m;
  const auto deaf =
      m.guest->Subscribe(SoonCall(), *GuestJobSubject(m.s.made.guest_id), {}, [](BusMessage) {});
  REQUIRE(deaf.ok());
  const absl::Time began = absl::Now();
  m.s.RunDue();
  m.s.clock.Advance(absl::Seconds(6));
  m.s.RunDue();
  CHECK(absl::Now() - began < absl::Seconds(4));
  CHECK(m.s.Get().reason == "waits for the guest agent, which does not answer");
  CHECK(m.s.Get().steps[0].attempts == 1);
}

TEST_CASE("an undo waits until the job that it takes back has ended", "[unit][taskmanager]") {
  JobMesh m;
  m.Listen({});
  m.ListenForCancel({});
  m.s.RunDue();
  REQUIRE(m.Sees(1));
  REQUIRE(m.s.Cancel());
  m.s.RunDue();
  REQUIRE(Eventually(absl::Seconds(10), [&] { return m.Cancelled().size() == 1; }));
  CHECK(m.Cancelled()[0].job_id() == m.Seen()[0].id());
  CHECK(m.Cancelled()[0].generation() > m.Seen()[0].generation());
  m.s.clock.Advance(absl::Milliseconds(200));
  m.s.RunDue();
  CHECK(m.Seen().size() == 1);
  CHECK(m.Cancelled().size() == 1);
  CHECK_THAT(m.s.Get().reason, Catch::Contains("stop what it does"));

  m.Report("1", ReportOf(mesh::v1::JobReport::STATE_CANCELLED));
  m.s.RunDue();
  REQUIRE(m.Sees(2));
  const std::string id = m.Seen()[1].id();
  CAPTURE(id);
  CHECK(id.starts_with(m.s.made.operation.id.value() + "/a-undo/"));
  CHECK(m.s.Get().awaited_signal == "job:" + id);
  m.Report(id.substr(id.rfind('/') + 1), ReportOf(mesh::v1::JobReport::STATE_SUCCEEDED), "a-undo");
  m.s.RunToEnd();
  CHECK(m.s.Get().state == OperationState::kCancelled);
}

TEST_CASE("an undo waits for no job that does not run", "[unit][taskmanager]") {
  JobMesh m;
  m.Listen({});
  mesh::v1::JobAck ack;
  ack.set_reason("NOT_RUNNING");
  SECTION("because the guest says so") {
    m.ListenForCancel(ack);
    m.s.RunDue();
    REQUIRE(m.Sees(1));
    REQUIRE(m.s.Cancel());
    m.s.RunDue();
    REQUIRE(Eventually(absl::Seconds(10), [&] { return m.Cancelled().size() == 1; }));
    m.s.clock.Advance(absl::Milliseconds(200));
  }
  SECTION("because it has failed") {
    m.ListenForCancel({});
    m.s.RunDue();
    REQUIRE(m.Sees(1));
    m.Report("1", ReportOf(mesh::v1::JobReport::STATE_FAILED));
  }
  SECTION("because nothing is heard of the guest for long") {
    m.s.RunDue();
    REQUIRE(m.Sees(1));
    REQUIRE(m.s.Cancel());
    for (int i = 0; i < 60; ++i) {
      m.s.RunDue();
      m.s.clock.Advance(absl::Milliseconds(200));
    }
  }
  m.s.RunDue();
  REQUIRE(m.Sees(2));
  CHECK(m.Seen()[1].id().starts_with(m.s.made.operation.id.value() + "/a-undo/"));
}

}  // namespace
}  // namespace trove::taskmanager
