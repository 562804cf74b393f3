#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "trove/mesh/v1/bus.pb.h"

#include "libtrove/base/id.h"

namespace trove::agent {

/// A job as the guest remembers it.
struct JournalEntry {
  enum class State { kAccepted, kRunning, kFinished };
  State state = State::kAccepted;
  mesh::v1::Job job;           ///< only its id, guest and generation once it is finished
  mesh::v1::JobReport report;  ///< when finished
};

/// The guest's memory of its jobs: a file each, written through to the disk before the call
/// returns, gone when the job is settled. Secrets in a job are sealed, and gone when it is
/// finished. Used by one thread at a time.
class JobJournal {
 public:
  /// Opens the journal in `folder`, made if need be. Errors: as files.h.
  static absl::StatusOr<JobJournal> Open(std::filesystem::path folder);

  /// Everything that is not settled, oldest first. A file that cannot be read is moved aside, as
  /// `*.damaged`, and is not an error: the job will be sent again.
  absl::StatusOr<std::vector<JournalEntry>> Load() const;

  /// Remembers an entry, replacing what was known of the same job.
  absl::Status Put(const JournalEntry& entry) const;

  /// Forgets a job; an unknown one is fine.
  absl::Status Forget(const JobId& job) const;

 private:
  explicit JobJournal(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path PathOf(const std::string& job_id) const;

  std::filesystem::path folder_;
};

}  // namespace trove::agent
