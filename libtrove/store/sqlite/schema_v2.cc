#include "libtrove/store/sqlite/schema_v2.h"

#include <string_view>

#include "libtrove/base/status_macros.h"

namespace trove::sqlite {
namespace {

constexpr std::string_view kTenants = R"sql(
ALTER TABLE datastore_versions ADD COLUMN engine TEXT NOT NULL DEFAULT '';

-- "values" is a JSON object: by parameter, each the JSON text of its value.
CREATE TABLE configurations (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  version_id TEXT NOT NULL REFERENCES datastore_versions (id),
  "values" TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX configurations_project ON configurations (project_id, id);
CREATE INDEX configurations_version ON configurations (version_id);

ALTER TABLE instances ADD COLUMN configuration_id TEXT REFERENCES configurations (id);
CREATE INDEX instances_configuration ON instances (configuration_id)
  WHERE configuration_id IS NOT NULL;

-- The first answer, for whoever asks the same again.
ALTER TABLE requests ADD COLUMN resource TEXT NOT NULL DEFAULT '';
ALTER TABLE requests ADD COLUMN answer BLOB NOT NULL DEFAULT x'';

CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  project_id TEXT NOT NULL,
  user TEXT NOT NULL,
  roles TEXT NOT NULL,
  peer TEXT NOT NULL,
  action TEXT NOT NULL,
  resource TEXT NOT NULL,
  request_id TEXT NOT NULL,
  outcome TEXT NOT NULL,
  message TEXT NOT NULL,
  operation_id TEXT NOT NULL
) STRICT;
CREATE INDEX audit_project ON audit (project_id, id);
CREATE INDEX audit_user ON audit (user, id);
CREATE INDEX audit_resource ON audit (resource, id);
)sql";

constexpr std::string_view kOperations = R"sql(
ALTER TABLE operations ADD COLUMN datastore_id TEXT NOT NULL DEFAULT '';
ALTER TABLE operations ADD COLUMN cancellable INTEGER NOT NULL DEFAULT 1;
ALTER TABLE operations ADD COLUMN retries INTEGER NOT NULL DEFAULT 0;
-- What a retry sets again: the instance's task and service, and the locks besides the instance's
-- (mode and resource, one a line). The deadline counts from accepted_at.
ALTER TABLE operations ADD COLUMN accepted_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE operations ADD COLUMN accepted_task INTEGER NOT NULL DEFAULT 1;
ALTER TABLE operations ADD COLUMN accepted_service INTEGER;
ALTER TABLE operations ADD COLUMN locks TEXT NOT NULL DEFAULT '';
-- The input was erased while it might still have been needed.
ALTER TABLE operations ADD COLUMN input_lost INTEGER NOT NULL DEFAULT 0;
-- The host that it acts on, and whether it has its turn there: 0 has not asked, 1 waits for it, 2
-- has it until it ends.
ALTER TABLE operations ADD COLUMN host TEXT NOT NULL DEFAULT '';
ALTER TABLE operations ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;

UPDATE operations SET accepted_at = created_at, input_lost = (state = 6),
  datastore_id = coalesce((SELECT v.datastore_id FROM instances i
    JOIN datastore_versions v ON v.id = i.version_id WHERE i.id = operations.instance_id), ''),
  accepted_task = coalesce((SELECT i.task FROM instances i
    WHERE i.id = operations.instance_id), 1),
  host = CASE WHEN state IN (2, 3, 4) THEN coalesce((SELECT g.placement FROM guests g
    WHERE g.instance_id = operations.instance_id AND g.ordinal = 0), '') ELSE '' END,
  turn = CASE WHEN state IN (2, 3, 4) THEN 2 ELSE 0 END;

-- An operation is open until it has finished_at: what its steps write again and again (state,
-- reason, memory) is in none of the indexes of what is open.
DROP INDEX operations_due;
DROP INDEX operations_owner;
CREATE INDEX operations_due ON operations (due_at)
  WHERE owner IS NULL AND finished_at IS NULL AND turn <> 1;
CREATE INDEX operations_due_project ON operations (project_id, due_at)
  WHERE owner IS NULL AND finished_at IS NULL AND turn <> 1;
CREATE INDEX operations_owner ON operations (owner, project_id) WHERE owner IS NOT NULL;
CREATE INDEX operations_turn ON operations (host, project_id, due_at)
  WHERE turn = 1 AND finished_at IS NULL;
CREATE INDEX operations_turn_deadline ON operations (deadline)
  WHERE turn = 1 AND finished_at IS NULL;
CREATE INDEX operations_host ON operations (host) WHERE turn = 2 AND finished_at IS NULL;
-- For lists: rows are in the order of their acceptance.
CREATE INDEX operations_project ON operations (project_id);
CREATE INDEX operations_open ON operations (project_id) WHERE finished_at IS NULL;
CREATE INDEX operations_all_open ON operations ((finished_at IS NULL)) WHERE finished_at IS NULL;
CREATE INDEX operations_stopped ON operations (project_id) WHERE state > 5;
CREATE INDEX operations_all_stopped ON operations ((state > 5)) WHERE state > 5;
CREATE INDEX operations_finished ON operations (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX operations_timed ON operations (kind, datastore_id) WHERE state = 5;

-- Whose turn was last: on each host that operations ever had to wait for, and among all projects.
CREATE TABLE host_turns (
  host TEXT PRIMARY KEY,
  most INTEGER NOT NULL,
  project_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE claim_turn (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  project_id TEXT NOT NULL
) STRICT;
INSERT INTO claim_turn VALUES (1, '');

ALTER TABLE operation_inputs ADD COLUMN failed_at INTEGER;
CREATE INDEX operation_inputs_failed ON operation_inputs (failed_at) WHERE failed_at IS NOT NULL;

-- What an operation may take: up to `target` of what its instance is charged; `held` is set aside.
CREATE TABLE operation_quotas (
  operation_id TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
  resource TEXT NOT NULL,
  target INTEGER NOT NULL,
  held INTEGER NOT NULL CHECK (held >= 0),
  PRIMARY KEY (operation_id, resource)
) STRICT, WITHOUT ROWID;
)sql";

// An event's position is its sequence: both have counted the same commits from 1 on. What is
// stamped is known by one number, so that an event is written once.
constexpr std::string_view kEvents = R"sql(
UPDATE events SET position = NULL;
DROP INDEX events_fresh;
DROP INDEX events_position;
DROP INDEX events_project;
DROP INDEX events_at;
CREATE INDEX events_project ON events (project_id, sequence, resource);
CREATE INDEX events_resource ON events (resource_id, sequence);
ALTER TABLE event_relay ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
UPDATE event_relay SET forgotten =
  coalesce((SELECT min(sequence) - 1 FROM events),
           (SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0);
)sql";

}  // namespace

absl::Status Version2(Connection& db) {
  for (const std::string_view part : {kTenants, kOperations, kEvents})
    TROVE_RETURN_IF_ERROR(db.Execute(part));
  return absl::OkStatus();
}

}  // namespace trove::sqlite
