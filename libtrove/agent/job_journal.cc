#include "libtrove/agent/job_journal.h"

#include <algorithm>
#include <system_error>

#include "trove/mesh/v1/guest_agent.pb.h"

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"

namespace trove::agent {
namespace {

namespace fs = std::filesystem;
using Stored = mesh::v1::JournaledJob;

constexpr char kSuffix[] = ".job";

Stored::State StoredState(JournalEntry::State state) {
  switch (state) {
    case JournalEntry::State::kAccepted:
      return Stored::STATE_ACCEPTED;
    case JournalEntry::State::kRunning:
      return Stored::STATE_RUNNING;
    case JournalEntry::State::kFinished:
      return Stored::STATE_FINISHED;
  }
  return Stored::STATE_UNSPECIFIED;
}

JournalEntry::State StateOf(Stored::State state) {
  if (state == Stored::STATE_FINISHED) return JournalEntry::State::kFinished;
  if (state == Stored::STATE_RUNNING) return JournalEntry::State::kRunning;
  return JournalEntry::State::kAccepted;
}

}  // namespace

absl::StatusOr<JobJournal> JobJournal::Open(fs::path folder) {
  TROVE_RETURN_IF_ERROR(MakeDirectory(folder, 0700));
  return JobJournal(std::move(folder));
}

fs::path JobJournal::PathOf(const std::string& job_id) const {
  std::string name = job_id;
  std::replace(name.begin(), name.end(), '/', '+');  // which no id has
  return folder_ / (name + kSuffix);
}

absl::StatusOr<std::vector<JournalEntry>> JobJournal::Load() const {
  std::error_code error;
  std::vector<std::pair<fs::file_time_type, JournalEntry>> found;
  for (const auto& file : fs::directory_iterator(folder_, error)) {
    if (file.path().extension() != kSuffix) continue;
    TROVE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(file.path()));
    Stored stored;
    if (!stored.ParseFromString(bytes)) {
      fs::rename(file.path(), fs::path(file.path()).replace_extension(".damaged"), error);
      continue;
    }
    found.emplace_back(file.last_write_time(error),
                       JournalEntry{StateOf(stored.state()), stored.job(), stored.report()});
  }
  if (error) return ErrnoStatus(error.value(), "read the journal " + folder_.string());
  std::sort(
      found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<JournalEntry> entries;
  entries.reserve(found.size());
  for (auto& [time, entry] : found)
    entries.push_back(std::move(entry));
  return entries;
}

absl::Status JobJournal::Put(const JournalEntry& entry) const {
  Stored stored;
  stored.set_state(StoredState(entry.state));
  *stored.mutable_job() = entry.job;
  if (entry.state == JournalEntry::State::kFinished) {
    stored.mutable_job()->clear_kind();
    *stored.mutable_report() = entry.report;
  }
  return WriteFileAtomically(PathOf(entry.job.id()), stored.SerializeAsString(), 0600);
}

absl::Status JobJournal::Forget(const JobId& job) const {
  std::error_code error;
  fs::remove(PathOf(job.value()), error);
  if (error) return ErrnoStatus(error.value(), "forget job " + job.value());
  return absl::OkStatus();
}

}  // namespace trove::agent
