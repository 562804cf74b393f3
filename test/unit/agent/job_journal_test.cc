#include "libtrove/agent/job_journal.h"

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "test/support/temporary_directory.h"

namespace trove::agent {
namespace {

mesh::v1::Job JobWith(const std::string& id) {
  mesh::v1::Job job;
  job.set_id(id);
  job.mutable_restart();
  return job;
}

TEST_CASE("a journal gives back what was put into it and nothing that was forgotten",
          "[unit][agent]") {
  const TemporaryDirectory folder;
  const auto journal = JobJournal::Open(folder / "jobs");
  REQUIRE(journal.ok());
  mesh::v1::JobReport report;
  report.set_state(mesh::v1::JobReport::STATE_FAILED);
  report.set_error("no");
  REQUIRE(journal->Put({JournalEntry::State::kAccepted, JobWith("a/b/1"), {}}).ok());
  REQUIRE(journal->Put({JournalEntry::State::kAccepted, JobWith("a_b/1"), {}}).ok());
  REQUIRE(journal->Put({JournalEntry::State::kFinished, JobWith("a/b/1"), report}).ok());
  const auto entries = journal->Load();
  REQUIRE(entries.ok());
  REQUIRE(entries->size() == 2);
  for (const JournalEntry& entry : *entries) {
    if (entry.job.id() == "a/b/1") {
      CHECK(entry.state == JournalEntry::State::kFinished);
      CHECK(entry.report.error() == "no");
      CHECK(entry.job.kind_case() == mesh::v1::Job::KIND_NOT_SET);
    } else {
      CHECK(entry.state == JournalEntry::State::kAccepted);
      CHECK(entry.job.has_restart());
    }
  }
  CHECK(journal->Forget(JobId("a/b/1")).ok());
  CHECK(journal->Forget(JobId("a/b/1")).ok());
  CHECK(journal->Load()->size() == 1);
}

TEST_CASE("a damaged entry of a journal is moved aside", "[unit][agent]") {
  const TemporaryDirectory folder;
  const auto journal = JobJournal::Open(folder / "jobs");
  REQUIRE(journal.ok());
  REQUIRE(journal->Put({JournalEntry::State::kAccepted, JobWith("good"), {}}).ok());
  REQUIRE(WriteFileAtomically(folder / "jobs/bad.job", "\xff\xff\xff", 0600).ok());
  const auto entries = journal->Load();
  REQUIRE(entries.ok());
  CHECK(entries->size() == 1);
  CHECK(std::filesystem::exists(folder / "jobs/bad.damaged"));
}

}  // namespace
}  // namespace trove::agent
