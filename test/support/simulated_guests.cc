#include "test/support/simulated_guests.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <google/protobuf/util/time_util.h>

#include "libtrove/base/check.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/bus/subject.h"

namespace trove {
namespace {

constexpr absl::Duration kCallTime = absl::Seconds(2);
constexpr absl::Duration kRetry = absl::Milliseconds(200);
constexpr int kAgentApi = 1;

mesh::v1::JobAck Refusal(std::string why, std::string reason) {
  mesh::v1::JobAck ack;
  ack.set_refused(std::move(why));
  ack.set_reason(std::move(reason));
  return ack;
}

}  // namespace

SimulatedGuests::SimulatedGuests(Bus& bus, Options options)
    : bus_(bus),
      options_(std::move(options)),
      executor_("sim-guests", options_.threads, 1 << 20),
      timer_([this](const std::stop_token& stop) { Tick(stop); }) {}

SimulatedGuests::~SimulatedGuests() {
  subscriptions_.clear();
  stop_.request_stop();
  timer_.request_stop();
  {
    const MutexLock lock(mutex_);
    changed_.NotifyAll();
  }
  timer_.join();
  executor_.Drain();
}

absl::Status SimulatedGuests::Listen(const Call& call) {
  SubscribeOptions options;
  options.capacity_messages = 1 << 16;
  options.capacity_bytes = std::size_t{256} << 20;
  // There is no builder for a pattern over all guests: no component of ours may listen to it.
  TROVE_ASSIGN_OR_RETURN(subscriptions_.emplace_back(),
                         bus_.Subscribe(call,
                                        Subject::Received("trove.v1.guest.*.job"),
                                        options,
                                        [this](const BusMessage& message) { OnJob(message); }));
  TROVE_ASSIGN_OR_RETURN(subscriptions_.emplace_back(),
                         bus_.Subscribe(call,
                                        Subject::Received("trove.v1.guest.*.settled"),
                                        options,
                                        [this](const BusMessage& message) { OnSettled(message); }));
  TROVE_ASSIGN_OR_RETURN(subscriptions_.emplace_back(),
                         bus_.Subscribe(call,
                                        Subject::Received("trove.v1.guest.*.cancel"),
                                        options,
                                        [this](const BusMessage& message) { OnCancel(message); }));
  return absl::OkStatus();
}

void SimulatedGuests::OnStarted(const taskmanager::GuestSpec& spec) {
  const GuestId id = spec.guest.guest_id;
  bool enrolled = false;
  {
    const MutexLock lock(mutex_);
    Guest& guest = guests_[id];
    if (guest.running) return;
    guest.running = true;
    guest.generation = std::max(guest.generation, spec.guest.generation);
    if (!spec.enrolment_token.empty()) guest.token = spec.enrolment_token;
    if (!guest.sealing_key) {
      auto key = identity::PrivateKey::Generate(identity::KeyKind::kX25519);
      TROVE_CHECK(key.ok());
      guest.sealing_key = *std::move(key);
    }
    if (!options_.enrol) guest.enrolled = true;
    enrolled = guest.enrolled;
  }
  if (enrolled) {
    Post([this, id] { BeginAgent(id); });
  } else {
    Post([this, id] { Enrol(id); });
  }
}

void SimulatedGuests::OnStopped(const GuestId& guest) {
  const MutexLock lock(mutex_);
  if (const auto found = guests_.find(guest); found != guests_.end()) found->second.running = false;
}

void SimulatedGuests::OnReset(const GuestId& guest) {
  const MutexLock lock(mutex_);
  if (const auto found = guests_.find(guest); found != guests_.end()) {
    // Its generation is its host's to remember; what its jobs were stays for tests to see. And no
    // start of an agent counts less than an earlier one.
    Guest fresh;
    fresh.incarnation = found->second.incarnation;
    fresh.begun = std::move(found->second.begun);
    found->second = std::move(fresh);
  }
}

void SimulatedGuests::OnRemoved(const GuestId& guest) {
  const MutexLock lock(mutex_);
  guests_.erase(guest);
}

void SimulatedGuests::CrashAgent(const GuestId& guest) {
  Post([this, guest] { BeginAgent(guest); });
}

void SimulatedGuests::FailNextJobs(int times, std::string error, bool retryable) {
  FailNext(mesh::v1::Job::KIND_NOT_SET, times, std::move(error), retryable);
}

void SimulatedGuests::FailNext(mesh::v1::Job::KindCase kind,
                               int times,
                               std::string error,
                               bool retryable) {
  const MutexLock lock(mutex_);
  failures_[kind] = {times, std::move(error), retryable};
}

void SimulatedGuests::SetJobTime(mesh::v1::Job::KindCase kind, absl::Duration time) {
  const MutexLock lock(mutex_);
  job_times_[kind] = time;
  for (const auto& [id, guest] : guests_) {
    for (const auto& [job_id, entry] : guest.journal) {
      if (entry.finished || entry.job.kind_case() != kind) continue;
      timers_.emplace(absl::Now() + time,
                      [this, guest_id = id, ended = job_id, incarnation = guest.incarnation] {
                        FinishJob(guest_id, ended, incarnation);
                      });
    }
  }
  changed_.NotifyAll();
}

void SimulatedGuests::SetRestartRequired(bool required) {
  const MutexLock lock(mutex_);
  restart_required_ = required;
}

void SimulatedGuests::LoseReports(int count) {
  const MutexLock lock(mutex_);
  lose_reports_ = count;
}

std::vector<mesh::v1::Job> SimulatedGuests::jobs(const GuestId& guest) const {
  const MutexLock lock(mutex_);
  const auto found = guests_.find(guest);
  return found == guests_.end() ? std::vector<mesh::v1::Job>() : found->second.begun;
}

mesh::v1::ServerSettings SimulatedGuests::settings(const GuestId& guest) const {
  const MutexLock lock(mutex_);
  const auto found = guests_.find(guest);
  return found == guests_.end() ? mesh::v1::ServerSettings() : found->second.settings;
}

mesh::v1::ServerStatus SimulatedGuests::status(const GuestId& guest) const {
  const MutexLock lock(mutex_);
  const auto found = guests_.find(guest);
  return found == guests_.end() ? mesh::v1::SERVER_STATUS_UNSPECIFIED : found->second.status;
}

int SimulatedGuests::unsettled() const {
  const MutexLock lock(mutex_);
  std::size_t count = 0;
  for (const auto& [id, guest] : guests_)
    count += guest.journal.size();
  return static_cast<int>(count);
}

int SimulatedGuests::refused() const {
  const MutexLock lock(mutex_);
  return refused_;
}

absl::StatusOr<identity::PrivateKey> SimulatedGuests::SealingKey(const GuestId& guest) const {
  const MutexLock lock(mutex_);
  const auto found = guests_.find(guest);
  if (found == guests_.end() || !found->second.sealing_key)
    return absl::NotFoundError("no such guest");
  return *found->second.sealing_key;
}

void SimulatedGuests::Tick(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::function<void()> due;
    {
      const MutexLock lock(mutex_);
      const auto ready = [&]() TROVE_NO_THREAD_SAFETY_ANALYSIS {
        return stop.stop_requested() || (!timers_.empty() && timers_.begin()->first <= absl::Now());
      };
      const absl::Time next =
          timers_.empty() ? absl::Now() + absl::Seconds(1) : timers_.begin()->first;
      changed_.WaitUntil(mutex_, next, ready);
      if (stop.stop_requested()) return;
      if (timers_.empty() || timers_.begin()->first > absl::Now()) continue;
      due = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
    }
    Post(std::move(due));
  }
}

void SimulatedGuests::At(absl::Time when, std::function<void()> task) {
  const MutexLock lock(mutex_);
  timers_.emplace(when, std::move(task));
  if (timers_.begin()->first == when) changed_.NotifyAll();
}

void SimulatedGuests::Post(std::function<void()> task) {
  executor_.Submit(std::move(task)).IgnoreError();  // only when this object is ending
}

void SimulatedGuests::Enrol(const GuestId& id) {
  Enrolment enrolment;
  enrolment.guest = id;
  {
    const MutexLock lock(mutex_);
    const auto found = guests_.find(id);
    if (found == guests_.end() || !found->second.running) return;
    enrolment.token = found->second.token;
    enrolment.sealing_public_key = found->second.sealing_key->public_key().Raw();
    // Not a real NKey: nobody connects with it.
    enrolment.nkey_public = "U" + found->second.sealing_key->public_key().Fingerprint();
  }
  const absl::Status enrolled = options_.enrol(CallFor(kCallTime, stop_.get_token()), enrolment);
  if (!enrolled.ok()) {
    At(absl::Now() + kRetry, [this, id] { Enrol(id); });
    return;
  }
  {
    const MutexLock lock(mutex_);
    if (const auto found = guests_.find(id); found != guests_.end()) found->second.enrolled = true;
  }
  BeginAgent(id);
}

void SimulatedGuests::BeginAgent(const GuestId& id) {
  std::vector<std::string> to_report;
  {
    const MutexLock lock(mutex_);
    const auto found = guests_.find(id);
    if (found == guests_.end() || !found->second.running) return;
    Guest& guest = found->second;
    ++guest.incarnation;
    guest.sequence = 0;
    for (auto& [job_id, entry] : guest.journal) {
      if (!entry.finished) {
        entry.finished = true;
        entry.report.set_job_id(job_id);
        entry.report.set_guest_id(id.value());
        entry.report.set_state(mesh::v1::JobReport::STATE_INTERRUPTED);
        entry.report.set_error("the agent died");
        entry.report.set_retryable(true);
      }
      to_report.push_back(job_id);
    }
  }
  SendHeartbeat(id);
  for (const std::string& job_id : to_report)
    Report(id, job_id);
}

void SimulatedGuests::SendHeartbeat(const GuestId& id) {
  mesh::v1::Heartbeat heartbeat;
  {
    const MutexLock lock(mutex_);
    const auto found = guests_.find(id);
    if (found == guests_.end() || !found->second.running) return;
    Guest& guest = found->second;
    heartbeat.set_guest_id(id.value());
    heartbeat.set_boot_id("simulated");
    heartbeat.set_incarnation(guest.incarnation);
    heartbeat.set_sequence(++guest.sequence);
    heartbeat.set_generation(guest.generation);
    heartbeat.set_status(guest.status);
    heartbeat.set_agent_api(kAgentApi);
    if (guest.status == mesh::v1::SERVER_STATUS_HEALTHY)
      heartbeat.set_running_version(guest.version);
  }
  const auto subject = HeartbeatSubject(id);
  if (subject.ok())
    bus_.Publish(CallFor(kCallTime, stop_.get_token()), *subject, heartbeat.SerializeAsString())
        .IgnoreError();  // losable
  const std::int64_t incarnation = heartbeat.incarnation();
  const std::int64_t sequence = heartbeat.sequence();
  At(absl::Now() + options_.heartbeat_every, [this, id, incarnation, sequence] {
    {
      // A heartbeat sent since then has its own timer.
      const MutexLock lock(mutex_);
      const auto found = guests_.find(id);
      if (found == guests_.end() || found->second.incarnation != incarnation ||
          found->second.sequence != sequence)
        return;
    }
    SendHeartbeat(id);
  });
}

void SimulatedGuests::OnJob(const BusMessage& message) {
  const auto id = GuestOf(message.subject);
  mesh::v1::JobEnvelope envelope;
  if (!id.ok() || !envelope.ParseFromString(message.payload) || !message.can_reply()) return;
  {
    // A guest that does not run does not listen; nor does one that is nobody's.
    const MutexLock lock(mutex_);
    const auto found = guests_.find(*id);
    if (found == guests_.end() || !found->second.running || found->second.incarnation == 0) return;
  }
  message.reply(TakeJob(*id, envelope).SerializeAsString()).IgnoreError();  // they will repeat
}

mesh::v1::JobAck SimulatedGuests::TakeJob(const GuestId& id,
                                          const mesh::v1::JobEnvelope& envelope) {
  mesh::v1::Job job;
  const MutexLock lock(mutex_);
  const auto refuse = [&](const char* why, const char* reason) TROVE_NO_THREAD_SAFETY_ANALYSIS {
    ++refused_;
    return Refusal(why, reason);
  };
  if (options_.verifier &&
      !options_.verifier->Verify(envelope.job(), {envelope.key_id(), envelope.signature()}).ok())
    return refuse("the signature is not known", "BAD_SIGNATURE");
  if (!job.ParseFromString(envelope.job()) || job.kind_case() == mesh::v1::Job::KIND_NOT_SET)
    return refuse("the job is of unknown kind", "UNKNOWN_KIND");
  if (job.guest_id() != id.value()) return refuse("the job is another guest's", "WRONG_GUEST");
  if (google::protobuf::util::TimeUtil::TimestampToNanoseconds(job.expires_at()) <
      absl::ToUnixNanos(absl::Now()))
    return refuse("the job is too late", "EXPIRED");
  Guest& guest = guests_[id];
  if (job.generation() < guest.generation)
    return refuse("a higher generation has been seen", "STALE_GENERATION");
  guest.generation = job.generation();
  const auto [entry, fresh] = guest.journal.try_emplace(job.id());
  if (fresh) {
    entry->second.job = job;
    Begin(guest, job);
  } else if (entry->second.finished) {
    executor_.Submit([this, id, job_id = job.id()] { Report(id, job_id); }).IgnoreError();
  }
  return {};
}

void SimulatedGuests::Begin(Guest& guest, const mesh::v1::Job& job) {
  guest.begun.push_back(job);
  switch (job.kind_case()) {
    case mesh::v1::Job::kPrepare:
      guest.status = mesh::v1::SERVER_STATUS_BUILDING;
      break;
    case mesh::v1::Job::kStop:
    case mesh::v1::Job::kConfigure:
      break;
    default:
      guest.status = mesh::v1::SERVER_STATUS_RESTARTING;
  }
  const auto time = job_times_.find(job.kind_case());
  timers_.emplace(
      absl::Now() + (time == job_times_.end() ? options_.job_time : time->second),
      [this, id = GuestId(job.guest_id()), job_id = job.id(), incarnation = guest.incarnation] {
        FinishJob(id, job_id, incarnation);
      });
  changed_.NotifyAll();
}

const SimulatedGuests::Failures* SimulatedGuests::NextFailure(mesh::v1::Job::KindCase kind) {
  for (const auto each : {kind, mesh::v1::Job::KIND_NOT_SET}) {
    Failures& failures = failures_[each];
    if (failures.times <= 0) continue;
    --failures.times;
    return &failures;
  }
  return nullptr;
}

void SimulatedGuests::Do(Guest& guest, const mesh::v1::Job& job, mesh::v1::JobReport& report) {
  const bool stopped = guest.status == mesh::v1::SERVER_STATUS_SHUTDOWN;
  if (job.has_upgrade() && options_.on_upgrade &&
      job.upgrade().settings().version_number() != guest.version)
    options_.on_upgrade(GuestId(job.guest_id()));  // whatever comes of it
  if (const Failures* failure = NextFailure(job.kind_case())) {
    report.set_state(mesh::v1::JobReport::STATE_FAILED);
    report.set_error(failure->error);
    report.set_retryable(failure->retryable);
    // With the old settings back in place it runs as before.
    if (!job.has_configure()) guest.status = mesh::v1::SERVER_STATUS_CRASHED;
    return;
  }
  report.set_state(mesh::v1::JobReport::STATE_SUCCEEDED);
  guest.status = mesh::v1::SERVER_STATUS_HEALTHY;
  if (guest.version.empty()) guest.version = options_.running_version;
  switch (job.kind_case()) {
    case mesh::v1::Job::kPrepare:
      guest.settings = job.prepare().settings();
      break;
    case mesh::v1::Job::kAdopt:
      guest.settings = job.adopt().settings();
      break;
    case mesh::v1::Job::kUpgrade:
      guest.settings = job.upgrade().settings();
      guest.version = guest.settings.version_number();
      break;
    case mesh::v1::Job::kConfigure:
      guest.settings = job.configure().settings();
      if (stopped) guest.status = mesh::v1::SERVER_STATUS_SHUTDOWN;
      report.set_restart_required(restart_required_ && !stopped && !job.configure().may_restart());
      break;
    case mesh::v1::Job::kStop:
      guest.status = mesh::v1::SERVER_STATUS_SHUTDOWN;
      break;
    default:
      break;
  }
  if (guest.status == mesh::v1::SERVER_STATUS_HEALTHY) report.set_running_version(guest.version);
}

void SimulatedGuests::OnCancel(const BusMessage& message) {
  const auto id = GuestOf(message.subject);
  mesh::v1::JobRef ref;
  if (!id.ok() || !ref.ParseFromString(message.payload)) return;
  mesh::v1::JobAck ack;
  {
    const MutexLock lock(mutex_);
    const auto found = guests_.find(*id);
    if (found == guests_.end() || !found->second.running || found->second.incarnation == 0) return;
    Guest& guest = found->second;
    const auto entry = guest.journal.find(ref.job_id());
    if (ref.generation() < guest.generation) {
      ack = Refusal("a higher generation has been seen", "STALE_GENERATION");
    } else if (entry == guest.journal.end() || entry->second.finished) {
      ack.set_reason("NOT_RUNNING");
    } else {
      entry->second.finished = true;
      entry->second.report.set_job_id(ref.job_id());
      entry->second.report.set_guest_id(id->value());
      entry->second.report.set_state(mesh::v1::JobReport::STATE_CANCELLED);
      guest.status = mesh::v1::SERVER_STATUS_CRASHED;  // in the middle of whatever it was
      executor_.Submit([this, id = *id, job_id = ref.job_id()] { Report(id, job_id); })
          .IgnoreError();  // only when this object is ending
    }
  }
  if (message.can_reply())
    message.reply(ack.SerializeAsString()).IgnoreError();  // they will repeat
}

void SimulatedGuests::OnSettled(const BusMessage& message) {
  const auto id = GuestOf(message.subject);
  mesh::v1::JobRef ref;
  if (!id.ok() || !ref.ParseFromString(message.payload)) return;
  {
    const MutexLock lock(mutex_);
    const auto found = guests_.find(*id);
    if (found == guests_.end()) return;
    found->second.journal.erase(ref.job_id());
  }
  if (message.can_reply())
    message.reply(mesh::v1::JobAck().SerializeAsString()).IgnoreError();  // they will repeat
}

void SimulatedGuests::FinishJob(const GuestId& id,
                                const std::string& job_id,
                                std::int64_t incarnation) {
  {
    const MutexLock lock(mutex_);
    const auto found = guests_.find(id);
    if (found == guests_.end() || found->second.incarnation != incarnation) return;
    Guest& guest = found->second;
    const auto entry = guest.journal.find(job_id);
    if (entry == guest.journal.end() || entry->second.finished) return;
    entry->second.finished = true;
    mesh::v1::JobReport& report = entry->second.report;
    report.set_job_id(job_id);
    report.set_guest_id(id.value());
    Do(guest, entry->second.job, report);
  }
  Report(id, job_id);
  SendHeartbeat(id);
}

void SimulatedGuests::Report(const GuestId& id, const std::string& job_id) {
  mesh::v1::JobReport report;
  {
    const MutexLock lock(mutex_);
    const auto found = guests_.find(id);
    if (found == guests_.end() || !found->second.running) return;
    const auto entry = found->second.journal.find(job_id);
    if (entry == found->second.journal.end() || !entry->second.finished) return;
    if (lose_reports_ > 0) {
      --lose_reports_;
      return;
    }
    report = entry->second.report;
  }
  const auto subject = JobReportSubject(id);
  if (!subject.ok()) return;
  const auto answer =
      bus_.Request(CallFor(kCallTime, stop_.get_token()), *subject, report.SerializeAsString());
  if (answer.ok() || stop_.stop_requested()) return;
  At(absl::Now() + kRetry, [this, id, job_id] { Report(id, job_id); });
}

}  // namespace trove
