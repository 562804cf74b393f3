#include "libtrove/store/sqlite/due.h"

#include <tuple>

#include "libtrove/base/status_macros.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {
namespace {

constexpr int kMostLooked = 256;  // projects that one claim looks at

}  // namespace

absl::StatusOr<DueOperations> DueOperations::Open(Transaction& tx, int wanted) {
  DueOperations due;
  due.wanted_ = wanted;
  TROVE_RETURN_IF_ERROR(due.ReadOldest(tx));
  if (!due.crowded_) return due;
  TROVE_RETURN_IF_ERROR(due.FindProjects(tx));
  TROVE_RETURN_IF_ERROR(due.CountHeld(tx));
  return due;
}

absl::StatusOr<std::optional<std::int64_t>> DueOperations::Next(Transaction& tx) {
  std::optional<std::int64_t> next;
  if (!crowded_) {
    if (few_.empty()) return next;
    next = few_.front();
    few_.pop_front();
    return next;
  }
  while (!found_.empty()) {
    auto turn = found_.begin();
    for (auto other = found_.begin(); other != found_.end(); ++other) {
      if (std::tie(other->second.in_work, other->second.oldest) <
          std::tie(turn->second.in_work, turn->second.oldest))
        turn = other;
    }
    Project& project = turn->second;
    if (project.rows.empty()) TROVE_RETURN_IF_ERROR(ReadRows(tx, project));
    if (project.rows.empty()) {
      found_.erase(turn);
      continue;
    }
    next = project.rows.front();
    project.rows.pop_front();
    ++project.in_work;
    return next;
  }
  return next;
}

absl::Status DueOperations::ReadOldest(Transaction& tx) {
  Statement row(
      tx.db,
      "SELECT rowid, project_id, due_at FROM operations WHERE owner IS NULL "
      "AND finished_at IS NULL AND turn <> 1 AND due_at <= ? ORDER BY due_at, rowid LIMIT ?",
      tx.now,
      wanted_ + 1);
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) break;
    ProjectId project;
    absl::Time due;
    row.Read(few_.emplace_back(), project, due);
    Add(project, due);
  }
  crowded_ = static_cast<int>(few_.size()) > wanted_;
  return absl::OkStatus();
}

// Those of the oldest are known. The others are skipped through, from where the last crowded claim
// ended.
absl::Status DueOperations::FindProjects(Transaction& tx) {
  ProjectId from;
  {
    Statement row(tx.db, "SELECT project_id FROM claim_turn");
    TROVE_RETURN_IF_ERROR(row.Step().status());
    row.Read(from);
  }
  TROVE_ASSIGN_OR_RETURN(const int left, SkipThrough(tx, from, kMostLooked));
  if (left > 0 && !from.empty()) TROVE_RETURN_IF_ERROR(SkipThrough(tx, {}, left).status());
  return Run(tx.db, "UPDATE claim_turn SET project_id = ?1 WHERE project_id <> ?1", last_);
}

// Looks at one row of each project. Returns what is left of the budget.
absl::StatusOr<int> DueOperations::SkipThrough(Transaction& tx, const ProjectId& from, int budget) {
  last_ = from;
  for (; budget > 0; --budget) {
    absl::Time due;
    {
      Statement row(
          tx.db,
          "SELECT project_id, due_at FROM operations WHERE owner IS NULL AND finished_at IS NULL "
          "AND turn <> 1 AND project_id > ? ORDER BY project_id, due_at LIMIT 1",
          last_);
      TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
      if (!found) {
        last_ = {};
        return budget;
      }
      row.Read(last_, due);
    }
    if (due <= tx.now) Add(last_, due);
  }
  return 0;
}

absl::Status DueOperations::CountHeld(Transaction& tx) {
  Statement row(tx.db, "SELECT project_id FROM operations WHERE owner IS NOT NULL");
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return absl::OkStatus();
    ProjectId project;
    row.Read(project);
    if (const auto at = found_.find(project); at != found_.end()) ++at->second.in_work;
  }
}

// What was given before has left the index: claimed, or waiting for its turn.
absl::Status DueOperations::ReadRows(Transaction& tx, Project& project) {
  Statement row(
      tx.db,
      "SELECT rowid FROM operations WHERE owner IS NULL AND finished_at IS NULL AND turn <> 1 "
      "AND project_id = ? AND due_at <= ? ORDER BY due_at, rowid LIMIT ?",
      project.id,
      tx.now,
      wanted_);
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return absl::OkStatus();
    row.Read(project.rows.emplace_back());
  }
}

void DueOperations::Add(const ProjectId& id, absl::Time due) {
  const auto [at, fresh] = found_.try_emplace(id, Project{id, 0, due, {}});
  if (!fresh && due < at->second.oldest) at->second.oldest = due;
}

}  // namespace trove::sqlite
