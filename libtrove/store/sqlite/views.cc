#include "libtrove/store/sqlite/views.h"

#include <utility>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/store/sqlite/rows.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {
namespace {

// Outer joins keep the instances' own order, and each finds one row at most: what could find more
// is unique in the schema.
const std::string& ViewSql() {
  static const std::string kSql =
      std::string("SELECT ") + kInstanceColumns + ", " + kVersionColumns +
      ", vol.id, g.volume_used_bytes, g.message, c.name, " + kEndpointColumns + ", " +
      kOperationColumns + ", " + kStepColumns +
      " FROM instances i"
      " LEFT JOIN datastore_versions v ON v.id = i.version_id"
      " LEFT JOIN datastores d ON d.id = v.datastore_id"
      " LEFT JOIN guests g ON g.instance_id = i.id AND g.ordinal = 0"
      " LEFT JOIN volumes vol ON vol.guest_id = g.id"
      " LEFT JOIN endpoints e ON e.instance_id = i.id AND e.purpose = 'primary'"
      " LEFT JOIN configurations c ON c.id = i.configuration_id"
      " LEFT JOIN operation_locks l ON l.resource = 'instances/' || i.id AND l.mode = 1"
      " LEFT JOIN operations o ON o.id = l.operation_id"
      " LEFT JOIN operation_steps s ON s.operation_id = o.id AND s.position = o.current_step";
  return kSql;
}

void ReadView(Statement& row, InstanceView& view) {
  Read(row, view.instance);
  Read(row, view.version);
  row.Read(view.volume_id, view.volume_used_bytes, view.guest_message);
  row.Read(view.configuration_name);
  if (row.AtNull()) {
    row.Skip(kEndpointColumnCount);
  } else {
    Read(row, view.endpoint.emplace());
    if (view.endpoint->address.empty()) view.endpoint.reset();
  }
  if (row.AtNull()) {
    row.Skip(kOperationColumnCount);
  } else {
    Read(row, view.operation.emplace());
    if (!row.AtNull()) Read(row, view.operation->steps.emplace_back());
  }
}

}  // namespace

const std::string& GetInstanceSql() {
  static const std::string kSql =
      ViewSql() + " WHERE i.id = ?1 AND (?2 IS NULL OR (i.project_id = ?2 AND i.system = 0))";
  return kSql;
}

const std::string& ListInstancesSql() {
  static const std::string kSql =
      ViewSql() + " WHERE i.project_id = ?1 AND i.system = 0 AND i.id > ?2 ORDER BY i.id LIMIT ?3";
  return kSql;
}

absl::StatusOr<InstanceView> GetInstance(Transaction& tx,
                                         const std::optional<ProjectId>& project,
                                         const InstanceId& id) {
  Statement row(tx.db, GetInstanceSql(), id, project);
  TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return InstanceNotFound(tx, project, id);
  InstanceView view;
  ReadView(row, view);
  return view;
}

absl::StatusOr<InstancePage> ListInstances(Transaction& tx,
                                           const ProjectId& project,
                                           const InstanceId& after,
                                           int limit) {
  InstancePage page;
  Statement row(tx.db, ListInstancesSql(), project, after, limit + 1);
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const bool more, row.Step());
    if (!more) return page;
    if (static_cast<int>(page.instances.size()) == limit) {
      page.more = true;
      return page;
    }
    ReadView(row, page.instances.emplace_back());
  }
}

absl::StatusOr<std::optional<Instance>> FindInstance(Transaction& tx, const InstanceId& id) {
  static const std::string kSql = std::string("SELECT ") + kInstanceColumns +
                                  " FROM instances i LEFT JOIN guests g "
                                  "ON g.instance_id = i.id AND g.ordinal = 0 WHERE i.id = ?";
  Statement row(tx.db, kSql, id);
  TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return std::optional<Instance>();
  std::optional<Instance> instance(std::in_place);
  Read(row, *instance);
  return instance;
}

absl::Status InstanceNotFound(Transaction& tx,
                              const std::optional<ProjectId>& project,
                              const InstanceId& id) {
  Statement row(tx.db,
                "SELECT at FROM tombstones WHERE id = ?1 AND kind = 'instance' "
                "AND (?2 IS NULL OR project_id = ?2)",
                id,
                project);
  TROVE_ASSIGN_OR_RETURN(const bool buried, row.Step());
  std::string message = "instance " + id.value() + " cannot be found";
  if (buried) {
    absl::Time at;
    row.Read(at);
    message +=
        ": it was deleted at " + absl::FormatTime(absl::RFC3339_sec, at, absl::UTCTimeZone());
  }
  return MakeError(Reason::kInstanceNotFound, message);
}

}  // namespace trove::sqlite
