#include "libtrove/store/sqlite/observations.h"

#include <string>
#include <tuple>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/store/sqlite/events.h"
#include "libtrove/store/sqlite/locks.h"
#include "libtrove/store/sqlite/signals.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {
namespace {

// What an observation is compared with.
struct Known {
  InstanceId instance_id;
  int ordinal = 0;
  std::int64_t incarnation = 0;
  std::int64_t sequence = 0;
  ServiceStatus service = ServiceStatus::kNew;  // the guest's last word
  std::optional<absl::Time> silent_since;
  TaskStatus task = TaskStatus::kNone;
  ServiceStatus shown = ServiceStatus::kNew;  // the instance's
};

absl::StatusOr<std::optional<Known>> Find(Transaction& tx, const GuestId& guest) {
  Statement row(tx.db,
                "SELECT g.instance_id, g.ordinal, g.incarnation, g.sequence, g.service, "
                "g.silent_since, i.task, i.service FROM guests g "
                "JOIN instances i ON i.id = g.instance_id WHERE g.id = ?",
                guest);
  TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
  std::optional<Known> known;
  if (!found) return known;
  known.emplace();
  row.Read(known->instance_id, known->ordinal, known->incarnation, known->sequence);
  row.Read(known->service, known->silent_since, known->task, known->shown);
  return known;
}

absl::Status UpdateGuest(Transaction& tx, const GuestObservation& o) {
  return Run(tx.db,
             "UPDATE guests SET incarnation = ?, sequence = ?, service = ?, role = ?, term = ?, "
             "agent_api = ?, running_version = ?, volume_used_bytes = ?, message = ?, "
             "silent_since = NULL WHERE id = ?",
             o.incarnation,
             o.sequence,
             o.service,
             o.role,
             o.term,
             o.agent_api,
             o.running_version,
             o.volume_used_bytes,
             o.message,
             o.guest_id);
}

bool WaitsForRestart(const Known& known) {
  return known.task == TaskStatus::kRestartRequired ||
         known.shown == ServiceStatus::kRestartRequired;
}

// An instance is as its first guest says.
absl::Status UpdateInstance(Transaction& tx, const GuestObservation& o, const Known& known) {
  if (known.ordinal != 0) return absl::OkStatus();
  const bool takes_status = o.service != known.shown && !WaitsForRestart(known);
  if (takes_status) {
    TROVE_RETURN_IF_ERROR(
        Run(tx.db,
            "UPDATE instances SET service = ?, service_updated_at = ? WHERE id = ?",
            o.service,
            tx.now,
            known.instance_id));
  }
  if (!takes_status && !known.silent_since) return absl::OkStatus();
  return InstanceChanged(tx, "status", known.instance_id);
}

// Tells whoever holds the instance; what became due is added to `due`.
absl::Status Signal(Transaction& tx,
                    const GuestObservation& o,
                    const Known& known,
                    std::vector<OperationId>& due) {
  const bool connected = o.incarnation > known.incarnation;
  const bool changed = o.service != known.service;
  if (!connected && !changed) return absl::OkStatus();
  TROVE_ASSIGN_OR_RETURN(const std::optional<Holder> holder, FindHolder(tx, known.instance_id));
  if (!holder) return absl::OkStatus();
  bool woken = false;
  if (connected) {
    TROVE_ASSIGN_OR_RETURN(woken,
                           PostSignal(tx, holder->id, "guest.connected", o.guest_id.value()));
  }
  if (changed) {
    TROVE_ASSIGN_OR_RETURN(
        const bool also,
        PostSignal(tx, holder->id, "guest.status", std::to_string(static_cast<int>(o.service))));
    woken = woken || also;
  }
  if (woken) due.push_back(holder->id);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<OperationId>> RecordObservations(
    Transaction& tx, const std::vector<GuestObservation>& observations) {
  std::vector<OperationId> due;
  for (const GuestObservation& o : observations) {
    TROVE_ASSIGN_OR_RETURN(const std::optional<Known> known, Find(tx, o.guest_id));
    if (!known) continue;
    if (std::tie(o.incarnation, o.sequence) <= std::tie(known->incarnation, known->sequence))
      continue;
    TROVE_RETURN_IF_ERROR(UpdateGuest(tx, o));
    TROVE_RETURN_IF_ERROR(UpdateInstance(tx, o, *known));
    TROVE_RETURN_IF_ERROR(Signal(tx, o, *known, due));
  }
  return due;
}

absl::Status RecordSilence(Transaction& tx,
                           const std::vector<std::pair<GuestId, absl::Time>>& silent) {
  for (const auto& [guest, since] : silent) {
    TROVE_ASSIGN_OR_RETURN(const std::optional<Known> known, Find(tx, guest));
    if (!known || known->silent_since) continue;
    TROVE_RETURN_IF_ERROR(
        Run(tx.db, "UPDATE guests SET silent_since = ? WHERE id = ?", since, guest));
    if (known->ordinal == 0)
      TROVE_RETURN_IF_ERROR(InstanceChanged(tx, "status", known->instance_id));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<OperationId>> RecordJobResult(Transaction& tx,
                                                           const JobResult& result) {
  const OperationId id(result.job_id.value().substr(0, result.job_id.value().find('/')));
  const std::string signal = "job:" + result.job_id.value();
  std::string awaited;
  bool idle = false;
  {
    Statement row(
        tx.db,
        "SELECT o.awaited_signal, o.owner IS NULL AND o.finished_at IS NULL FROM operations o "
        "JOIN guests g ON g.instance_id = o.instance_id WHERE o.id = ? AND g.id = ?",
        id,
        result.guest_id);
    TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) {
      return MakeError(
          Reason::kPermissionDenied,
          "job " + result.job_id.value() + " is not one of guest " + result.guest_id.value());
    }
    row.Read(awaited, idle);
  }
  std::optional<OperationId> due;
  if (result.final) {
    TROVE_ASSIGN_OR_RETURN(const bool woken, PostSignal(tx, id, signal, result.payload));
    if (woken) due = id;
    return due;
  }
  // Progress is the reason for waiting only while that is what it waits for.
  if (!idle || awaited != signal || result.progress.empty()) return due;
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "UPDATE operations SET reason = ?2, updated_at = ?3, "
                            "version = version + 1 WHERE id = ?1 AND reason <> ?2",
                            id,
                            result.progress,
                            tx.now));
  if (tx.db.changes() > 0) TROVE_RETURN_IF_ERROR(OperationEvent(tx, "progressed", id));
  return due;
}

}  // namespace trove::sqlite
