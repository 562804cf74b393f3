#include "libtrove/store/sqlite/turns.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "libtrove/base/status_macros.h"
#include "libtrove/store/sqlite/events.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {
namespace {

constexpr int kMostGiven = 256;  // in one transaction
constexpr int kAny = std::numeric_limits<int>::max();

// A host that operations have had to wait for, how many may run there, and whose turn was last.
struct HostTurns {
  std::string host;
  int most = 0;
  ProjectId project_id;
};

// Counts no further than it must.
absl::StatusOr<int> CountRunning(Transaction& tx, const std::string& host, int most) {
  Statement row(
      tx.db,
      "SELECT count(*) FROM (SELECT 1 FROM operations WHERE turn = 2 AND finished_at IS NULL "
      "AND host = ? LIMIT ?)",
      host,
      most);
  TROVE_RETURN_IF_ERROR(row.Step().status());
  int running = 0;
  row.Read(running);
  return running;
}

absl::StatusOr<bool> AnybodyWaits(Transaction& tx, const std::string& host) {
  Statement row(
      tx.db,
      "SELECT 1 FROM operations WHERE turn = 1 AND finished_at IS NULL AND host = ? LIMIT 1",
      host);
  return row.Step();
}

absl::StatusOr<std::vector<HostTurns>> Hosts(Transaction& tx) {
  std::vector<HostTurns> hosts;
  Statement row(tx.db, "SELECT host, most, project_id FROM host_turns");
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return hosts;
    HostTurns& turns = hosts.emplace_back();
    row.Read(turns.host, turns.most, turns.project_id);
  }
}

absl::Status Give(Transaction& tx, std::int64_t row) {
  return Run(tx.db,
             "UPDATE operations SET turn = 2, due_at = min(due_at, ?2) WHERE rowid = ?1",
             row,
             tx.now);
}

// Gives one turn to the project that comes after the last one. False: nobody waits there.
absl::StatusOr<bool> GiveOne(Transaction& tx, HostTurns& turns) {
  // Its oldest one; or, when that was the last of the projects, the first one's.
  for (const bool from_start : {false, true}) {
    std::int64_t next = 0;
    {
      Statement row(
          tx.db,
          "SELECT rowid, project_id FROM operations WHERE turn = 1 AND finished_at IS NULL "
          "AND host = ? AND project_id > ? ORDER BY project_id, due_at LIMIT 1",
          turns.host,
          from_start ? ProjectId() : turns.project_id);
      TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
      if (!found) continue;
      row.Read(next, turns.project_id);
    }
    TROVE_RETURN_IF_ERROR(Give(tx, next));
    return true;
  }
  return false;
}

absl::Status Remember(Transaction& tx, const HostTurns& turns) {
  return Run(tx.db,
             "INSERT INTO host_turns (host, most, project_id) VALUES (?1, ?2, ?3) "
             "ON CONFLICT (host) DO UPDATE SET most = ?2, project_id = ?3 "
             "WHERE most <> ?2 OR project_id <> ?3",
             turns.host,
             turns.most,
             turns.project_id);
}

// Fills a host up; what it gives is taken off `budget`.
absl::Status Fill(Transaction& tx, HostTurns turns, int most, int& budget) {
  TROVE_ASSIGN_OR_RETURN(const bool waits, AnybodyWaits(tx, turns.host));
  if (!waits) return Run(tx.db, "DELETE FROM host_turns WHERE host = ?", turns.host);
  TROVE_ASSIGN_OR_RETURN(const int running, CountRunning(tx, turns.host, most));
  int room = std::min(most - running, budget);
  turns.most = most;
  for (; room > 0; --room, --budget) {
    TROVE_ASSIGN_OR_RETURN(const bool given, GiveOne(tx, turns));
    if (!given) break;
  }
  return Remember(tx, turns);
}

// Whoever waited past its deadline must be told so.
absl::Status GiveToLate(Transaction& tx, int& budget) {
  std::vector<std::int64_t> late;
  {
    Statement row(
        tx.db,
        "SELECT rowid FROM operations WHERE turn = 1 AND finished_at IS NULL AND deadline <= ? "
        "ORDER BY deadline LIMIT ?",
        tx.now,
        budget);
    while (true) {
      TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
      if (!more) break;
      row.Read(late.emplace_back());
    }
  }
  for (const std::int64_t row : late)
    TROVE_RETURN_IF_ERROR(Give(tx, row));
  budget -= static_cast<int>(late.size());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> HasRoom(Transaction& tx, const std::string& host, int most, int& running) {
  TROVE_ASSIGN_OR_RETURN(running, CountRunning(tx, host, most));
  if (running >= most) return false;
  TROVE_ASSIGN_OR_RETURN(const bool waits, AnybodyWaits(tx, host));
  return !waits;
}

absl::Status AwaitTurn(
    Transaction& tx, const OperationId& id, const std::string& host, int most, int running) {
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "UPDATE operations SET turn = 1, host = ?2, reason = ?3, "
                            "waiting_since = ?4, updated_at = ?4, version = version + 1 "
                            "WHERE id = ?1",
                            id,
                            host,
                            "waits for its turn: " + std::to_string(running) +
                                (running == 1 ? " operation runs" : " operations run") +
                                " on this host",
                            tx.now));
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "INSERT INTO host_turns (host, most, project_id) VALUES (?1, ?2, '') "
                            "ON CONFLICT (host) DO UPDATE SET most = ?2 WHERE most <> ?2",
                            host,
                            most));
  return OperationEvent(tx, "progressed", id);
}

absl::Status GiveTurns(Transaction& tx, int most) {
  int budget = kMostGiven;
  TROVE_RETURN_IF_ERROR(GiveToLate(tx, budget));
  TROVE_ASSIGN_OR_RETURN(const std::vector<HostTurns> hosts, Hosts(tx));
  for (const HostTurns& turns : hosts)
    TROVE_RETURN_IF_ERROR(Fill(tx, turns, most > 0 ? most : kAny, budget));
  return absl::OkStatus();
}

absl::StatusOr<bool> TurnsAreFree(Transaction& tx, int most) {
  {
    Statement row(
        tx.db,
        "SELECT 1 FROM operations WHERE turn = 1 AND finished_at IS NULL AND deadline <= ? LIMIT 1",
        tx.now);
    TROVE_ASSIGN_OR_RETURN(const bool late, row.Step());
    if (late) return true;
  }
  TROVE_ASSIGN_OR_RETURN(const std::vector<HostTurns> hosts, Hosts(tx));
  for (const HostTurns& turns : hosts) {
    TROVE_ASSIGN_OR_RETURN(const bool waits, AnybodyWaits(tx, turns.host));
    if (!waits) continue;
    if (most <= 0) return true;
    TROVE_ASSIGN_OR_RETURN(const int running, CountRunning(tx, turns.host, most));
    if (running < most) return true;
  }
  return false;
}

absl::Status PassTurnOn(Transaction& tx, const OperationId& ended) {
  HostTurns turns;
  {
    Statement row(tx.db,
                  "SELECT h.host, h.most, h.project_id FROM operations o "
                  "JOIN host_turns h ON h.host = o.host WHERE o.id = ? AND o.turn = 2",
                  ended);
    TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) return absl::OkStatus();
    row.Read(turns.host, turns.most, turns.project_id);
  }
  int budget = 1;
  return Fill(tx, turns, turns.most, budget);
}

}  // namespace trove::sqlite
