#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "trove/mesh/v1/bus.pb.h"

#include "libtrove/agent/datastore.h"
#include "libtrove/agent/guest_identity.h"
#include "libtrove/agent/guest_state.h"
#include "libtrove/agent/health_monitor.h"
#include "libtrove/agent/job_journal.h"
#include "libtrove/base/call.h"
#include "libtrove/base/log.h"
#include "libtrove/base/mutex.h"
#include "libtrove/bus/bus.h"

namespace trove::agent {

/// Takes jobs, runs one at a time, and reports until somebody has heard. A job is in the journal
/// before it is acknowledged, and its result stays there until it is settled, so that neither a
/// crash nor a lost message loses or repeats work. Thread-safe.
class Jobs {
 public:
  /// All must outlive this object. What the journal holds from before is taken up: a job that had
  /// not begun runs, one that was cut off is reported INTERRUPTED, a finished one is reported
  /// again.
  static absl::StatusOr<std::unique_ptr<Jobs>> Start(const GuestId& guest,
                                                     const GuestIdentity& identity,
                                                     GuestState& state,
                                                     Datastore& datastore,
                                                     HealthMonitor& monitor,
                                                     Bus& bus,
                                                     Log log);
  ~Jobs();

  /// `trove.v1.guest.<guest>.job`: checks signature, target, generation, expiry and form; writes
  /// the journal; answers.
  mesh::v1::JobAck OnJob(std::string_view envelope_bytes) TROVE_EXCLUDES(mutex_);
  /// `….cancel`: a waiting job is taken out, a running one is told to stop.
  mesh::v1::JobAck OnCancel(std::string_view ref_bytes) TROVE_EXCLUDES(mutex_);
  /// `….settled`: the result is in the store and need not be kept.
  mesh::v1::JobAck OnSettled(std::string_view ref_bytes) TROVE_EXCLUDES(mutex_);

  /// Id and progress of the job that runs; nothing when none does.
  std::optional<std::pair<std::string, std::string>> running() const TROVE_EXCLUDES(mutex_);

  /// More waiting jobs than this are refused: one mutating operation at a time needs few.
  static constexpr std::size_t kMostWaiting = 16;

 private:
  Jobs(const GuestId& guest,
       const GuestIdentity& identity,
       GuestState& state,
       Datastore& datastore,
       HealthMonitor& monitor,
       Bus& bus,
       JobJournal journal,
       Log log);

  // One message at a time is being written to the journal, or taken out of it, so that the same job
  // arriving twice is one. Not under the mutex: what only looks need not wait for the disk.
  class Turn;

  void TakeUp(std::vector<JournalEntry> entries) TROVE_EXCLUDES(mutex_);
  void RunLane(const std::stop_token& stop) TROVE_EXCLUDES(mutex_);
  void RunReports(const std::stop_token& stop) TROVE_EXCLUDES(mutex_);
  void Execute(const mesh::v1::Job& job, const std::stop_token& stop) TROVE_EXCLUDES(mutex_);
  // Whether something takes effect only with the next start of the server.
  absl::StatusOr<bool> Do(const Call& call, const mesh::v1::Job& job, const Progress& say);
  absl::Status Prepare(const Call& call, const mesh::v1::PrepareJob& wanted, const Progress& say);
  absl::Status Restart(const Call& call, const Progress& say);
  absl::StatusOr<bool> Configure(const Call& call,
                                 const mesh::v1::ConfigureJob& wanted,
                                 const Progress& say);
  absl::Status Upgrade(const Call& call, const ServerSettings& settings, const Progress& say);
  absl::Status Adopt(const Call& call, const ServerSettings& settings, const Progress& say);
  absl::Status Remember(const ServerSettings& settings);
  void Finish(const mesh::v1::Job& job, mesh::v1::JobReport report) TROVE_EXCLUDES(mutex_);
  void Say(const std::string& job_id, std::string_view progress) TROVE_EXCLUDES(mutex_);
  absl::Status Send(const Call& call, const mesh::v1::JobReport& report);

  const GuestId guest_;
  const GuestIdentity& identity_;
  GuestState& state_;
  Datastore& datastore_;
  HealthMonitor& monitor_;
  Bus& bus_;
  const JobJournal journal_;
  const Log log_;

  struct Known {
    JournalEntry entry;
    bool reported = false;  ///< the conductor has acknowledged the final report
    int asked = 0;          ///< how often the job came again: each wants a report of its own
  };

  mutable Mutex mutex_;
  CondVar changed_;
  bool turn_taken_ TROVE_GUARDED_BY(mutex_) = false;
  std::deque<std::string> waiting_ TROVE_GUARDED_BY(mutex_);     // job ids, in order
  std::map<std::string, Known> known_ TROVE_GUARDED_BY(mutex_);  // by job id
  std::optional<std::string> running_ TROVE_GUARDED_BY(mutex_);  // job id
  std::string progress_ TROVE_GUARDED_BY(mutex_);                // of the running job
  bool progress_unsent_ TROVE_GUARDED_BY(mutex_) = false;
  std::stop_source running_stop_ TROVE_GUARDED_BY(mutex_);
  std::jthread lane_;
  std::jthread reports_;
};

}  // namespace trove::agent
