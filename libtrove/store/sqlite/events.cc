#include "libtrove/store/sqlite/events.h"

#include <string>
#include <utility>

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

constexpr absl::Duration kKept = absl::Hours(24 * 7);
constexpr char kEventColumns[] =
    "id, sequence, project_id, type, resource, resource_id, resource_version, data, at";

// A JSON object of texts, written by hand: one is made for every change there is.
class JsonText {
 public:
  void Add(std::string_view name, std::string_view value) {
    text_ += text_.size() > 1 ? ",\"" : "\"";
    text_.append(name).append("\":\"");
    for (const char c : value)
      AddEscaped(c);
    text_ += '"';
  }
  std::string Finish() && {
    text_ += '}';
    return std::move(text_);
  }

 private:
  void AddEscaped(char c) {
    static constexpr char kHex[] = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text_ += '\\';
      text_ += c;
    } else if (byte < 0x20) {
      text_ += "\\u00";
      text_ += kHex[byte >> 4];
      text_ += kHex[byte & 15];
    } else {
      text_ += c;
    }
  }

  std::string text_ = "{";
};

struct Subject {
  const ProjectId& project_id;
  std::string_view resource;
  const std::string& id;
  std::int64_t version = 0;
};

absl::Status Add(Transaction& tx,
                 std::string_view type,
                 const Subject& subject,
                 JsonText data,
                 std::string_view user) {
  if (!user.empty()) data.Add("user", user);
  return Run(tx.db,
             "INSERT INTO events (id, project_id, type, resource, resource_id, "
             "resource_version, data, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
             NewUuid(),
             subject.project_id,
             type,
             subject.resource,
             subject.id,
             subject.version,
             std::move(data).Finish(),
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

}  // namespace

absl::Status InstanceEvent(Transaction& tx,
                           std::string_view type,
                           const Instance& instance,
                           std::string_view user) {
  if (instance.system) return absl::OkStatus();
  JsonText data;
  data.Add("name", instance.name);
  data.Add("status", ShownStatusName(ShownStatusOf(instance, /*backup_running=*/false)));
  data.Add("operating_status", OperatingStatusName(OperatingStatusOf(instance)));
  return Add(tx,
             "trove.instance." + std::string(type),
             {instance.project_id, "instances", instance.id.value(), instance.version},
             std::move(data),
             user);
}

absl::Status InstanceChanged(Transaction& tx,
                             std::string_view type,
                             const InstanceId& id,
                             std::string_view user) {
  TROVE_RETURN_IF_ERROR(Run(tx.db, "UPDATE instances SET version = version + 1 WHERE id = ?", id));
  TROVE_ASSIGN_OR_RETURN(const std::optional<Instance> instance, FindInstance(tx, id));
  return instance ? InstanceEvent(tx, type, *instance, user) : absl::OkStatus();
}

absl::Status OperationEvent(Transaction& tx,
                            std::string_view type,
                            const OperationNews& news,
                            std::string_view user) {
  JsonText data;
  data.Add("kind", news.kind);
  data.Add("state", StateName(news.state));
  data.Add("resource", ResourceOf(news.instance_id));
  data.Add("step", news.step);
  data.Add("reason", news.reason);
  if (!news.error.empty()) data.Add("error", news.error);
  return Add(tx,
             "trove.operation." + std::string(type),
             {news.project_id, "operations", news.id.value(), news.version},
             std::move(data),
             user);
}

absl::Status OperationEvent(Transaction& tx,
                            std::string_view type,
                            const OperationId& id,
                            std::string_view user) {
  static const std::string kSql = std::string("SELECT ") + kOperationColumns +
                                  ", s.name FROM operations o LEFT JOIN operation_steps s "
                                  "ON s.operation_id = o.id AND s.position = o.current_step "
                                  "WHERE o.id = ?";
  Operation o;
  std::string step;
  {
    Statement row(tx.db, kSql, id);
    TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) return absl::OkStatus();
    Read(row, o);
    row.Read(step);
  }
  return OperationEvent(
      tx,
      type,
      {o.id, o.project_id, o.instance_id, o.kind, o.state, step, o.reason, o.error, o.version},
      user);
}

absl::Status ConfigurationEvent(Transaction& tx,
                                std::string_view type,
                                const ConfigurationNews& news,
                                std::string_view user) {
  JsonText data;
  data.Add("name", news.name);
  if (news.instance_id != nullptr) data.Add("resource", ResourceOf(*news.instance_id));
  return Add(tx,
             "trove.configuration." + std::string(type),
             {news.project_id, "configurations", news.id.value(), 0},
             std::move(data),
             user);
}

absl::StatusOr<bool> EventsWait(Transaction& tx, const WorkerId& worker) {
  TROVE_RETURN_IF_ERROR(CheckRelay(tx, worker));
  Statement row(tx.db,
                "SELECT coalesce((SELECT max(sequence) FROM events), 0) > published "
                "FROM event_relay");
  TROVE_RETURN_IF_ERROR(row.Step().status());
  bool waits = false;
  row.Read(waits);
  return waits;
}

absl::StatusOr<std::vector<EventRecord>> StampEvents(Transaction& tx,
                                                     const WorkerId& worker,
                                                     int limit) {
  TROVE_RETURN_IF_ERROR(CheckRelay(tx, worker));
  // Writers take turns, so that whoever sees a sequence sees all the smaller ones.
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "UPDATE event_relay SET stamped = max(stamped, "
                            "coalesce((SELECT max(sequence) FROM events), 0))"));
  static const std::string kSql = std::string("SELECT ") + kEventColumns +
                                  " FROM events WHERE sequence > "
                                  "(SELECT published FROM event_relay) "
                                  "ORDER BY sequence LIMIT ?";
  Statement row(tx.db, kSql, limit);
  return ReadAll(row);
}

absl::Status MarkPublished(Transaction& tx, const WorkerId& worker, std::int64_t position) {
  TROVE_RETURN_IF_ERROR(CheckRelay(tx, worker));
  TROVE_RETURN_IF_ERROR(Run(tx.db,
                            "UPDATE event_relay SET published = "
                            "max(published, min(stamped, ?))",
                            position));
  // Events are in the order of their time, so that mostly one look at the oldest is all.
  absl::Time oldest = absl::InfiniteFuture();
  {
    Statement row(tx.db, "SELECT at FROM events ORDER BY sequence LIMIT 1");
    TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (found) row.Read(oldest);
  }
  if (oldest >= tx.now - kKept) return absl::OkStatus();
  // As many as a busy minute brings, so that a sweep never takes long.
  std::optional<std::int64_t> last;
  {
    Statement row(tx.db,
                  "SELECT max(sequence) FROM (SELECT sequence, at FROM events WHERE sequence <= "
                  "(SELECT published FROM event_relay) ORDER BY sequence LIMIT 500) WHERE at < ?",
                  tx.now - kKept);
    TROVE_RETURN_IF_ERROR(row.Step().status());
    row.Read(last);
  }
  if (!last) return absl::OkStatus();
  TROVE_RETURN_IF_ERROR(Run(tx.db, "DELETE FROM events WHERE sequence <= ?", *last));
  return Run(tx.db, "UPDATE event_relay SET forgotten = ?", *last);
}

const std::string& ReadEventsSql(const EventFilter& filter) {
  static const auto kSql = [](const std::string& condition) {
    return std::string("SELECT ") + kEventColumns + " FROM events WHERE sequence > ?1 " +
           "AND sequence <= (SELECT stamped FROM event_relay)" + condition +
           " ORDER BY sequence LIMIT ?2";
  };
  static const std::string kAll = kSql(" AND (?4 = '' OR resource = ?4)");
  static const std::string kProject = kSql(" AND project_id = ?3 AND (?4 = '' OR resource = ?4)");
  static const std::string kOne = kSql(
      " AND resource_id = ?5 AND (?4 = '' OR resource = ?4) AND (?3 IS NULL OR +project_id = ?3)");
  if (!filter.resource_id.empty()) return kOne;
  return filter.project ? kProject : kAll;
}

absl::StatusOr<std::vector<EventRecord>> ReadEvents(Transaction& tx,
                                                    const EventFilter& filter,
                                                    std::int64_t position,
                                                    int limit) {
  if (position != 0) {
    Statement row(tx.db, "SELECT forgotten FROM event_relay");
    TROVE_RETURN_IF_ERROR(row.Step().status());
    std::int64_t forgotten = 0;
    row.Read(forgotten);
    if (position < forgotten) {
      return MakeError(Reason::kEventsGone,
                       "the events after position " + std::to_string(position) +
                           " are not kept any more: the oldest that is kept has position " +
                           std::to_string(forgotten + 1) + ", and 0 asks for it");
    }
  }
  Statement row(tx.db,
                ReadEventsSql(filter),
                position,
                limit,
                filter.project,
                filter.resource,
                filter.resource_id);
  return ReadAll(row);
}

absl::StatusOr<std::int64_t> LastPosition(Transaction& tx) {
  Statement row(tx.db, "SELECT stamped FROM event_relay");
  TROVE_RETURN_IF_ERROR(row.Step().status());
  std::int64_t position = 0;
  row.Read(position);
  return position;
}

}  // namespace trove::sqlite
