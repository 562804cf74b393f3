#include "libtrove/store/sqlite/events.h"

#include <string>
#include <utility>

#include <boost/json.hpp>

#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/model/errors.h"
#include "libtrove/model/instance_state.h"
#include "libtrove/store/sqlite/rows.h"
#include "libtrove/store/sqlite/statement.h"
#include "libtrove/store/sqlite/views.h"
#include "libtrove/store/sqlite/workers.h"

namespace trove::sqlite {
namespace {

namespace json = boost::json;

constexpr absl::Duration kKept = absl::Hours(24 * 7);
constexpr char kEventColumns[] =
    "id, position, project_id, type, resource, resource_id, resource_version, data, at";

absl::Status Add(Transaction& tx,
                 const std::string& type,
                 const ProjectId& project,
                 std::string_view resource,
                 const std::string& resource_id,
                 std::int64_t version,
                 const json::object& data) {
  return Run(tx.db,
             "INSERT INTO events (id, project_id, type, resource, resource_id, "
             "resource_version, data, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
             NewUuid(),
             project,
             type,
             resource,
             resource_id,
             version,
             json::serialize(data),
             tx.now);
}

absl::StatusOr<std::vector<EventRecord>> ReadAll(Statement& row) {
  std::vector<EventRecord> events;
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return events;
    EventRecord& e = events.emplace_back();
    row.Read(e.id, e.position, e.project_id, e.type, e.resource, e.resource_id);
    row.Read(e.resource_version, e.data, e.at);
  }
}

absl::Status CheckRelay(Transaction& tx, const WorkerId& worker) {
  TROVE_ASSIGN_OR_RETURN(const bool held, HoldsLease(tx, "events", worker));
  if (held) return absl::OkStatus();
  return MakeError(Reason::kStaleOwner,
                   "worker " + worker.value() + " does not hold the lease 'events'");
}

std::string_view StateName(OperationState state) {
  switch (state) {
    case OperationState::kPending:
      return "PENDING";
    case OperationState::kRunning:
      return "RUNNING";
    case OperationState::kWaiting:
      return "WAITING";
    case OperationState::kCancelling:
      return "CANCELLING";
    case OperationState::kSucceeded:
      return "SUCCEEDED";
    case OperationState::kFailed:
      return "FAILED";
    case OperationState::kCancelled:
      return "CANCELLED";
  }
  return "";
}

json::string_view Json(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

absl::Status InstanceEvent(Transaction& tx, std::string_view type, const Instance& instance) {
  if (instance.system) return absl::OkStatus();
  json::object data;
  data["name"] = instance.name;
  data["status"] = Json(ShownStatusName(ShownStatusOf(instance, /*backup_running=*/false)));
  data["operating_status"] = Json(OperatingStatusName(OperatingStatusOf(instance)));
  return Add(tx,
             "trove.instance." + std::string(type),
             instance.project_id,
             "instances",
             instance.id.value(),
             instance.version,
             data);
}

absl::Status InstanceChanged(Transaction& tx, std::string_view type, const InstanceId& id) {
  TROVE_RETURN_IF_ERROR(Run(tx.db, "UPDATE instances SET version = version + 1 WHERE id = ?", id));
  TROVE_ASSIGN_OR_RETURN(const std::optional<Instance> instance, FindInstance(tx, id));
  return instance ? InstanceEvent(tx, type, *instance) : absl::OkStatus();
}

absl::Status OperationEvent(Transaction& tx, std::string_view type, const OperationId& id) {
  static const std::string kSql = std::string("SELECT ") + kOperationColumns +
                                  ", s.name FROM operations o LEFT JOIN operation_steps s "
                                  "ON s.operation_id = o.id AND s.position = o.current_step "
                                  "WHERE o.id = ?";
  Operation operation;
  std::string step;
  {
    Statement row(tx.db, kSql, id);
    TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) return absl::OkStatus();
    Read(row, operation);
    row.Read(step);
  }
  json::object data;
  data["kind"] = operation.kind;
  data["state"] = Json(StateName(operation.state));
  data["resource"] = ResourceOf(operation.instance_id);
  data["step"] = step;
  data["reason"] = operation.reason;
  return Add(tx,
             "trove.operation." + std::string(type),
             operation.project_id,
             "operations",
             operation.id.value(),
             operation.version,
             data);
}

absl::StatusOr<bool> EventsWait(Transaction& tx, const WorkerId& worker) {
  TROVE_RETURN_IF_ERROR(CheckRelay(tx, worker));
  Statement row(tx.db,
                "SELECT EXISTS (SELECT 1 FROM events WHERE position IS NULL) "
                "OR stamped > published FROM event_relay");
  TROVE_RETURN_IF_ERROR(row.Step().status());
  bool waits = false;
  row.Read(waits);
  return waits;
}

absl::StatusOr<std::vector<EventRecord>> StampEvents(Transaction& tx,
                                                     const WorkerId& worker,
                                                     int limit) {
  TROVE_RETURN_IF_ERROR(CheckRelay(tx, worker));
  TROVE_RETURN_IF_ERROR(
      Run(tx.db,
          "UPDATE events SET position = f.place FROM (SELECT sequence AS s, "
          "(SELECT stamped FROM event_relay) + row_number() OVER (ORDER BY sequence) AS place "
          "FROM events WHERE position IS NULL ORDER BY sequence LIMIT ?) f "
          "WHERE events.sequence = f.s",
          limit));
  TROVE_RETURN_IF_ERROR(
      Run(tx.db, "UPDATE event_relay SET stamped = stamped + ?", tx.db.changes()));
  static const std::string kSql = std::string("SELECT ") + kEventColumns +
                                  " FROM events WHERE position > "
                                  "(SELECT published FROM event_relay) "
                                  "ORDER BY position LIMIT ?";
  Statement row(tx.db, kSql, limit);
  return ReadAll(row);
}

absl::Status MarkPublished(Transaction& tx, const WorkerId& worker, std::int64_t position) {
  TROVE_RETURN_IF_ERROR(CheckRelay(tx, worker));
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "UPDATE event_relay SET published = "
                            "max(published, min(stamped, ?))",
                            position));
  // As many as a busy minute brings, so that a sweep never takes long.
  return Run(tx.db,
             "DELETE FROM events WHERE sequence IN (SELECT sequence FROM events "
             "WHERE at < ? AND position <= (SELECT published FROM event_relay) "
             "ORDER BY at LIMIT 500)",
             tx.now - kKept);
}

absl::StatusOr<std::vector<EventRecord>> ReadEvents(Transaction& tx,
                                                    const std::optional<ProjectId>& project,
                                                    std::int64_t position,
                                                    int limit) {
  static const std::string kAll = std::string("SELECT ") + kEventColumns +
                                  " FROM events WHERE position > ? ORDER BY position LIMIT ?";
  static const std::string kOne = std::string("SELECT ") + kEventColumns +
                                  " FROM events WHERE position > ? AND project_id = ?3 "
                                  "ORDER BY position LIMIT ?2";
  if (project) {
    Statement row(tx.db, kOne, position, limit, *project);
    return ReadAll(row);
  }
  Statement row(tx.db, kAll, position, limit);
  return ReadAll(row);
}

}  // namespace trove::sqlite
