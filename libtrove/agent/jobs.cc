#include "libtrove/agent/jobs.h"

#include <algorithm>
#include <utility>

#include "libtrove/agent/job_checks.h"
#include "libtrove/base/backoff.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/bus/subject.h"
#include "libtrove/identity/sealing.h"

namespace trove::agent {
namespace {

using State = JournalEntry::State;
using Report = mesh::v1::JobReport;

constexpr absl::Duration kReportLimit = absl::Seconds(2);
constexpr BackoffPolicy kReportAgain = {absl::Milliseconds(100), absl::Seconds(5)};
constexpr absl::Duration kStartLimit = absl::Minutes(5);
constexpr absl::Duration kBackLimit = absl::Seconds(30);

// What doing it again may mend: everything but a wrong request.
bool IsRetryable(const absl::Status& status) {
  return !absl::IsInvalidArgument(status) && !absl::IsUnimplemented(status);
}

mesh::v1::ServerStatus ActivityOf(const mesh::v1::Job& job) {
  switch (job.kind_case()) {
    case mesh::v1::Job::kPrepare:
      return mesh::v1::SERVER_STATUS_BUILDING;
    case mesh::v1::Job::kRestart:
    case mesh::v1::Job::kStart:
    case mesh::v1::Job::kUpgrade:
    case mesh::v1::Job::kAdopt:
      return mesh::v1::SERVER_STATUS_RESTARTING;
    case mesh::v1::Job::kConfigure:
      // A server that is away for that has not crashed.
      if (job.configure().may_restart()) return mesh::v1::SERVER_STATUS_RESTARTING;
      return mesh::v1::SERVER_STATUS_UNSPECIFIED;
    default:
      return mesh::v1::SERVER_STATUS_UNSPECIFIED;
  }
}

Report ReportOf(const mesh::v1::Job& job, Report::State state) {
  Report report;
  report.set_job_id(job.id());
  report.set_guest_id(job.guest_id());
  report.set_state(state);
  return report;
}

absl::Duration LimitOf(const mesh::v1::Job& job) {
  const absl::Duration limit =
      absl::Seconds(job.time_limit().seconds()) + absl::Nanoseconds(job.time_limit().nanos());
  return limit > absl::ZeroDuration() ? limit : absl::Minutes(5);
}

}  // namespace

class Jobs::Turn {
 public:
  explicit Turn(Jobs& jobs) : jobs_(jobs) {
    const MutexLock lock(jobs_.mutex_);
    const auto free = [this]() TROVE_REQUIRES(jobs_.mutex_) {
      return !jobs_.turn_taken_;
    };
    while (!jobs_.changed_.WaitUntil(jobs_.mutex_, absl::Now() + absl::Minutes(1), free)) {
    }
    jobs_.turn_taken_ = true;
  }
  ~Turn() {
    {
      const MutexLock lock(jobs_.mutex_);
      jobs_.turn_taken_ = false;
    }
    jobs_.changed_.NotifyAll();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Jobs& jobs_;
};

absl::StatusOr<std::unique_ptr<Jobs>> Jobs::Start(const GuestId& guest,
                                                  const GuestIdentity& identity,
                                                  GuestState& state,
                                                  Datastore& datastore,
                                                  HealthMonitor& monitor,
                                                  Bus& bus,
                                                  Log log) {
  TROVE_ASSIGN_OR_RETURN(JobJournal journal,
                         JobJournal::Open(identity.files.folder.parent_path() / "jobs"));
  TROVE_ASSIGN_OR_RETURN(std::vector<JournalEntry> entries, journal.Load());
  std::unique_ptr<Jobs> jobs(new Jobs(
      guest, identity, state, datastore, monitor, bus, std::move(journal), std::move(log)));
  jobs->TakeUp(std::move(entries));
  jobs->lane_ =
      std::jthread([raw = jobs.get()](const std::stop_token& stop) { raw->RunLane(stop); });
  jobs->reports_ =
      std::jthread([raw = jobs.get()](const std::stop_token& stop) { raw->RunReports(stop); });
  return jobs;
}

Jobs::Jobs(const GuestId& guest,
           const GuestIdentity& identity,
           GuestState& state,
           Datastore& datastore,
           HealthMonitor& monitor,
           Bus& bus,
           JobJournal journal,
           Log log)
    : guest_(guest),
      identity_(identity),
      state_(state),
      datastore_(datastore),
      monitor_(monitor),
      bus_(bus),
      journal_(std::move(journal)),
      log_(std::move(log)) {}

Jobs::~Jobs() {
  lane_.request_stop();
  reports_.request_stop();
  std::stop_source running;
  {
    const MutexLock lock(mutex_);
    running = running_stop_;
  }
  running.request_stop();
  changed_.NotifyAll();
}

void Jobs::TakeUp(std::vector<JournalEntry> entries) {
  for (JournalEntry& entry : entries) {
    const std::string id = entry.job.id();
    if (entry.state == State::kRunning) {
      Report report = ReportOf(entry.job, Report::STATE_INTERRUPTED);
      report.set_error("the agent was restarted in the middle of it");
      report.set_retryable(true);
      Finish(entry.job, std::move(report));
      continue;
    }
    const MutexLock lock(mutex_);
    if (entry.state == State::kAccepted) waiting_.push_back(id);
    known_[id] = {.entry = std::move(entry)};
  }
}

mesh::v1::JobAck Jobs::OnJob(std::string_view envelope_bytes) {
  CheckedJob checked = CheckJob(envelope_bytes, guest_, identity_.job_verifier, absl::Now());
  if (!checked.refusal.reason().empty()) {
    log_.Warning("job refused",
                 {{"reason", checked.refusal.reason()}, {"why", checked.refusal.refused()}});
    return checked.refusal;
  }
  const std::string id = checked.job.id();
  const Turn turn(*this);
  {
    const MutexLock lock(mutex_);
    if (const auto found = known_.find(id); found != known_.end()) {
      // Asked again: whoever asks has not heard the result.
      found->second.reported = false;
      ++found->second.asked;
      changed_.NotifyAll();
      return {};
    }
    if (waiting_.size() >= kMostWaiting) return Refuse("BUSY", "too many jobs wait");
  }
  if (const absl::Status raised = state_.RaiseGeneration(checked.job.generation()); !raised.ok()) {
    return Refuse(absl::IsAborted(raised) ? "STALE_GENERATION" : "BUSY", MessageOf(raised));
  }
  JournalEntry entry{State::kAccepted, std::move(checked.job), {}};
  if (const absl::Status put = journal_.Put(entry); !put.ok()) {
    log_.Error("a job cannot be written to the journal", {{"job", id}, {"error", put}});
    return Refuse("BUSY", MessageOf(put));
  }
  log_.Info("job accepted", {{"job", id}});
  {
    const MutexLock lock(mutex_);
    known_[id] = {.entry = std::move(entry)};
    waiting_.push_back(id);
  }
  changed_.NotifyAll();
  return {};
}

mesh::v1::JobAck Jobs::OnCancel(std::string_view ref_bytes) {
  mesh::v1::JobRef ref;
  if (!ref.ParseFromArray(ref_bytes.data(), static_cast<int>(ref_bytes.size()))) {
    return Refuse("MALFORMED", "the reference cannot be read");
  }
  mesh::v1::Job job;
  std::optional<std::stop_source> running;
  {
    // With a turn, so that a cancel that overtakes its job in the journal's queue finds it.
    const Turn turn(*this);
    const MutexLock lock(mutex_);
    if (ref.generation() < state_.generation())
      return Refuse("STALE_GENERATION", "a newer claim exists");
    if (running_ == ref.job_id()) {
      running = running_stop_;
    } else {
      const auto found = std::find(waiting_.begin(), waiting_.end(), ref.job_id());
      if (found == waiting_.end()) {
        // Whoever cancels need not wait for a report: it may have settled it before.
        mesh::v1::JobAck ack;
        ack.set_reason("NOT_RUNNING");
        return ack;
      }
      waiting_.erase(found);
      job = known_[ref.job_id()].entry.job;
    }
  }
  if (running) {
    running->request_stop();
    return {};
  }
  Finish(job, ReportOf(job, Report::STATE_CANCELLED));
  return {};
}

mesh::v1::JobAck Jobs::OnSettled(std::string_view ref_bytes) {
  mesh::v1::JobRef ref;
  if (!ref.ParseFromArray(ref_bytes.data(), static_cast<int>(ref_bytes.size()))) {
    return Refuse("MALFORMED", "the reference cannot be read");
  }
  const Turn turn(*this);
  {
    const MutexLock lock(mutex_);
    const auto found = known_.find(ref.job_id());
    if (found == known_.end()) return {};
    if (found->second.entry.state != State::kFinished) {
      return Refuse("RUNNING", "the job has not ended");
    }
  }
  if (const absl::Status forgotten = journal_.Forget(JobId(ref.job_id())); !forgotten.ok()) {
    return Refuse("BUSY", MessageOf(forgotten));
  }
  const MutexLock lock(mutex_);
  known_.erase(ref.job_id());
  return {};
}

std::optional<std::pair<std::string, std::string>> Jobs::running() const {
  const MutexLock lock(mutex_);
  if (!running_) return std::nullopt;
  return std::pair(*running_, progress_);
}

void Jobs::RunLane(const std::stop_token& stop) {
  // After a reboot of the host, or of the keeper, the server that is meant to run does not.
  if (state_.prepared() && state_.wanted()) {
    const absl::Status started =
        datastore_.Start(CallFor(kStartLimit, stop), state_.settings(), [](std::string_view) {});
    if (!started.ok()) log_.Error("the server does not start", {{"error", started}});
    monitor_.Kick();
  }
  while (!stop.stop_requested()) {
    mesh::v1::Job job;
    std::stop_token job_stop;
    {
      const MutexLock lock(mutex_);
      changed_.WaitUntil(mutex_, absl::Now() + absl::Minutes(1), [&]() TROVE_REQUIRES(mutex_) {
        return stop.stop_requested() || !waiting_.empty();
      });
      if (stop.stop_requested()) return;
      if (waiting_.empty()) continue;
      running_ = waiting_.front();
      waiting_.pop_front();
      progress_.clear();
      running_stop_ = std::stop_source();
      job_stop = running_stop_.get_token();
      JournalEntry& entry = known_[*running_].entry;
      entry.state = State::kRunning;
      job = entry.job;
    }
    Execute(job, job_stop);
  }
}

void Jobs::Execute(const mesh::v1::Job& job, const std::stop_token& stop) {
  const Log log = log_.With("job", job.id());
  const absl::Time began = absl::Now();
  absl::Status status = journal_.Put({State::kRunning, job, {}});
  bool restart_required = false;
  if (status.ok()) {
    monitor_.SetActivity(ActivityOf(job));
    const absl::StatusOr<bool> done =
        Do(CallFor(LimitOf(job), stop, job.id()), job, [&](std::string_view progress) {
          Say(job.id(), progress);
        });
    monitor_.SetActivity(mesh::v1::SERVER_STATUS_UNSPECIFIED);
    status = done.status();
    restart_required = done.value_or(false);
  }
  Report report = ReportOf(job, Report::STATE_SUCCEEDED);
  if (status.ok()) {
    report.set_restart_required(restart_required);
    report.set_running_version(datastore_.Check(CallFor(absl::Seconds(3))).version);
    log.Info("job done", {{"seconds", absl::ToDoubleSeconds(absl::Now() - began)}});
  } else {
    const bool cancelled = stop.stop_requested();
    report.set_state(cancelled ? Report::STATE_CANCELLED : Report::STATE_FAILED);
    report.set_error(MessageOf(status));
    report.set_retryable(IsRetryable(status));
    log.Error("job failed", {{"error", status}});
  }
  if (lane_.get_stop_token().stop_requested() && !status.ok())
    return;  // reported INTERRUPTED later
  Finish(job, std::move(report));
}

absl::StatusOr<bool> Jobs::Do(const Call& call, const mesh::v1::Job& job, const Progress& say) {
  switch (job.kind_case()) {
    case mesh::v1::Job::kPrepare:
      TROVE_RETURN_IF_ERROR(Prepare(call, job.prepare(), say));
      return false;
    case mesh::v1::Job::kRestart:
      TROVE_RETURN_IF_ERROR(Restart(call, say));
      return false;
    case mesh::v1::Job::kStop:
      TROVE_RETURN_IF_ERROR(state_.SetWanted(false));
      TROVE_RETURN_IF_ERROR(datastore_.Stop(call, say));
      return false;
    case mesh::v1::Job::kStart:
      TROVE_RETURN_IF_ERROR(state_.SetWanted(true));
      TROVE_RETURN_IF_ERROR(datastore_.Start(call, state_.settings(), say));
      return false;
    case mesh::v1::Job::kConfigure:
      return Configure(call, job.configure(), say);
    case mesh::v1::Job::kUpgrade:
      TROVE_RETURN_IF_ERROR(Upgrade(call, FromMessage(job.upgrade().settings()), say));
      return false;
    case mesh::v1::Job::kAdopt:
      TROVE_RETURN_IF_ERROR(Adopt(call, FromMessage(job.adopt().settings()), say));
      return false;
    case mesh::v1::Job::KIND_NOT_SET:
      break;
  }
  return absl::UnimplementedError("a job of unknown kind");
}

absl::Status Jobs::Prepare(const Call& call,
                           const mesh::v1::PrepareJob& wanted,
                           const Progress& say) {
  PrepareSpec spec;
  for (const mesh::v1::GuestDatabase& database : wanted.databases()) {
    spec.databases.push_back({database.name(), database.character_set(), database.collation()});
  }
  for (const mesh::v1::GuestUser& user : wanted.users()) {
    TROVE_ASSIGN_OR_RETURN(
        Secret password,
        identity::OpenSealed(identity_.sealing_key, user.password().box(), guest_.value()));
    spec.users.push_back({user.name(),
                          user.host(),
                          std::move(password),
                          {user.databases().begin(), user.databases().end()}});
  }
  spec.settings = FromMessage(wanted.settings());
  TROVE_RETURN_IF_ERROR(datastore_.Validate(spec.settings));
  TROVE_RETURN_IF_ERROR(datastore_.Prepare(call, spec, say));
  return Remember(spec.settings);
}

// A restart that is cut off has stopped nothing for good: the server is wanted all the while.
absl::Status Jobs::Restart(const Call& call, const Progress& say) {
  TROVE_RETURN_IF_ERROR(state_.SetWanted(true));
  absl::Status status = datastore_.Stop(call, say);
  if (status.ok()) status = datastore_.Start(call, state_.settings(), say);
  if (!status.ok() && call.stop.stop_requested()) {
    // Cancelled between the two: nobody else would start it before the agent is started anew.
    const absl::Status started = datastore_.Start(
        CallFor(kBackLimit, lane_.get_stop_token()), state_.settings(), [](std::string_view) {});
    if (!started.ok()) log_.Error("the server does not start", {{"error", started}});
  }
  return status;
}

absl::StatusOr<bool> Jobs::Configure(const Call& call,
                                     const mesh::v1::ConfigureJob& wanted,
                                     const Progress& say) {
  const ServerSettings settings = FromMessage(wanted.settings());
  if (!state_.prepared()) return absl::FailedPreconditionError("there is no server yet");
  TROVE_RETURN_IF_ERROR(datastore_.Validate(settings));
  bool restart_required = false;
  // One that is meant to be stopped has them from its next start.
  if (state_.wanted()) {
    TROVE_ASSIGN_OR_RETURN(
        restart_required,
        datastore_.Configure(call,
                             settings,
                             wanted.may_restart() ? Restarting::kAllowed : Restarting::kForbidden,
                             say));
  }
  TROVE_RETURN_IF_ERROR(state_.SetSettings(settings));
  return restart_required;
}

absl::Status Jobs::Upgrade(const Call& call, const ServerSettings& settings, const Progress& say) {
  if (!state_.prepared()) return absl::FailedPreconditionError("there is no server yet");
  TROVE_RETURN_IF_ERROR(datastore_.Validate(settings));
  // From there on an agent that is started anew must not start the old engine.
  const PointOfNoReturn committed = [&]() -> absl::Status {
    TROVE_RETURN_IF_ERROR(state_.SetSettings(settings));
    return state_.SetWanted(true);
  };
  return datastore_.Upgrade(call, settings, committed, say);
}

absl::Status Jobs::Adopt(const Call& call, const ServerSettings& settings, const Progress& say) {
  TROVE_RETURN_IF_ERROR(datastore_.Validate(settings));
  TROVE_RETURN_IF_ERROR(datastore_.Adopt(call, settings, say));
  return Remember(settings);
}

// The guest has a server now.
absl::Status Jobs::Remember(const ServerSettings& settings) {
  TROVE_RETURN_IF_ERROR(state_.SetSettings(settings));
  TROVE_RETURN_IF_ERROR(state_.SetWanted(true));
  return state_.SetPrepared();
}

void Jobs::Finish(const mesh::v1::Job& job, Report report) {
  JournalEntry entry{State::kFinished, job, std::move(report)};
  entry.job.clear_kind();  // with the sealed passwords in it
  if (const absl::Status put = journal_.Put(entry); !put.ok()) {
    // The report goes out all the same; after a restart the job counts as interrupted.
    log_.Error("a result cannot be written to the journal", {{"job", job.id()}, {"error", put}});
  }
  {
    const MutexLock lock(mutex_);
    if (running_ == job.id()) running_.reset();
    known_[job.id()] = {.entry = std::move(entry)};
  }
  changed_.NotifyAll();
}

void Jobs::Say(const std::string& job_id, std::string_view progress) {
  log_.Info("job progress", {{"job", job_id}, {"progress", progress}});
  {
    const MutexLock lock(mutex_);
    progress_ = progress;
    progress_unsent_ = true;
  }
  changed_.NotifyAll();
}

absl::Status Jobs::Send(const Call& call, const Report& report) {
  TROVE_ASSIGN_OR_RETURN(const Subject subject, JobReportSubject(guest_));
  return bus_.Request(call, subject, report.SerializeAsString()).status();
}

void Jobs::RunReports(const std::stop_token& stop) {
  int failures = 0;
  absl::Time not_before = absl::InfinitePast();
  while (!stop.stop_requested()) {
    std::optional<Report> report;
    int asked = 0;
    {
      const MutexLock lock(mutex_);
      const auto unreported = [](const auto& item) {
        return item.second.entry.state == State::kFinished && !item.second.reported;
      };
      const auto due = [&]() TROVE_REQUIRES(mutex_) {
        return progress_unsent_ || std::any_of(known_.begin(), known_.end(), unreported);
      };
      if (absl::Now() < not_before) {
        changed_.WaitUntil(mutex_, not_before, [&] { return stop.stop_requested(); });
      } else {
        changed_.WaitUntil(mutex_, absl::Now() + absl::Minutes(1), [&]() TROVE_REQUIRES(mutex_) {
          return stop.stop_requested() || due();
        });
      }
      if (stop.stop_requested()) return;
      const auto found = std::find_if(known_.begin(), known_.end(), unreported);
      if (found != known_.end()) {
        report = found->second.entry.report;
        asked = found->second.asked;
      } else if (progress_unsent_ && running_) {
        report = ReportOf(known_[*running_].entry.job, Report::STATE_RUNNING);
        report->set_progress(progress_);
      }
      progress_unsent_ = false;
    }
    if (!report) continue;
    const absl::Status sent = Send(CallFor(kReportLimit, stop), *report);
    // Progress is not repeated: the next word replaces it.
    if (report->state() == Report::STATE_RUNNING) continue;
    if (!sent.ok()) {
      if (failures == 0)
        log_.Warning("a report is not heard", {{"job", report->job_id()}, {"error", sent}});
      not_before = absl::Now() + BackoffDelay(kReportAgain, failures++);
      continue;
    }
    failures = 0;
    not_before = absl::InfinitePast();
    const MutexLock lock(mutex_);
    const auto found = known_.find(report->job_id());
    // Who asked while this was on its way has not heard it.
    if (found != known_.end() && found->second.asked == asked) found->second.reported = true;
  }
}

}  // namespace trove::agent
