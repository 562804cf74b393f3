#include "libtrove/store/sqlite/findings.h"

#include <cstdint>
#include <string>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "libtrove/store/sqlite/effects.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {

absl::Status RecordFinding(Transaction& tx, const Finding& finding) {
  ProjectId project;
  InstanceId instance;
  std::int64_t generation = 0;
  bool held = false;
  {
    Statement row(
        tx.db,
        "SELECT i.project_id, g.instance_id, g.generation, EXISTS (SELECT 1 FROM operations o "
        "WHERE o.instance_id = g.instance_id AND o.finished_at IS NULL) "
        "FROM guests g JOIN instances i ON i.id = g.instance_id WHERE g.id = ?",
        finding.guest_id);
    TROVE_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found)
      return MakeError(Reason::kStaleOwner, "guest " + finding.guest_id.value() + " is gone");
    row.Read(project, instance, generation, held);
  }
  if (held || generation != finding.generation)
    return MakeError(Reason::kStaleOwner,
                     "guest " + finding.guest_id.value() + " is acted on by an operation");
  return ApplyEffects(tx, {project, instance, OperationId()}, finding.effects);
}

}  // namespace trove::sqlite
