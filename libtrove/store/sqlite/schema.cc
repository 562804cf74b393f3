#include "libtrove/store/sqlite/schema.h"

#include <array>
#include <string>

#include "libtrove/base/status_macros.h"
#include "libtrove/store/migrations.h"
#include "libtrove/store/sqlite/schema_v2.h"
#include "libtrove/store/sqlite/statement.h"

namespace trove::sqlite {
namespace {

// Times are microseconds since 1970 (UTC), states are the numbers of libtrove/model, lists of words
// have one a line. What is unique is said here, so that no bug above can break it.

constexpr std::string_view kCatalogue = R"sql(
CREATE TABLE datastores (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  default_version_id TEXT NOT NULL,
  edited INTEGER NOT NULL DEFAULT 0,
  deleted INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX datastores_name ON datastores (name) WHERE deleted = 0;

CREATE TABLE datastore_versions (
  id TEXT PRIMARY KEY,
  datastore_id TEXT NOT NULL REFERENCES datastores (id),
  name TEXT NOT NULL,
  number TEXT NOT NULL,
  agent TEXT NOT NULL,
  active INTEGER NOT NULL,
  edited INTEGER NOT NULL DEFAULT 0,
  deleted INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX datastore_versions_datastore ON datastore_versions (datastore_id, name, number);

CREATE TABLE flavors (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  ram_mib INTEGER NOT NULL,
  vcpus INTEGER NOT NULL,
  disk_gib INTEGER NOT NULL,
  ephemeral_gib INTEGER NOT NULL,
  edited INTEGER NOT NULL DEFAULT 0,
  deleted INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
  hash TEXT PRIMARY KEY,
  project_id TEXT NOT NULL,
  user TEXT NOT NULL,
  roles TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_expiry ON tokens (expires_at);

CREATE TABLE quotas (
  project_id TEXT NOT NULL,
  resource TEXT NOT NULL,
  hard_limit INTEGER NOT NULL,
  PRIMARY KEY (project_id, resource)
) STRICT, WITHOUT ROWID;

CREATE TABLE quota_usages (
  project_id TEXT NOT NULL,
  resource TEXT NOT NULL,
  in_use INTEGER NOT NULL CHECK (in_use >= 0),
  reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
  PRIMARY KEY (project_id, resource)
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::string_view kInstances = R"sql(
CREATE TABLE instances (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL,
  name TEXT NOT NULL,
  version_id TEXT NOT NULL REFERENCES datastore_versions (id),
  flavor_id TEXT NOT NULL REFERENCES flavors (id),
  volume_size_gib INTEGER NOT NULL,
  is_public INTEGER NOT NULL,
  allowed_cidrs TEXT NOT NULL,
  region TEXT NOT NULL,
  system INTEGER NOT NULL,
  source_id TEXT,
  cluster_id TEXT,
  task INTEGER NOT NULL,
  service INTEGER NOT NULL,
  service_updated_at INTEGER NOT NULL,
  fault_message TEXT,
  fault_details TEXT,
  fault_at INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  version INTEGER NOT NULL
) STRICT;
CREATE INDEX instances_project ON instances (project_id, id) WHERE system = 0;
CREATE INDEX instances_version ON instances (version_id);
CREATE INDEX instances_flavor ON instances (flavor_id);

-- What each instance was charged, so that exactly that is given back.
CREATE TABLE quota_charges (
  instance_id TEXT NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
  resource TEXT NOT NULL,
  amount INTEGER NOT NULL,
  PRIMARY KEY (instance_id, resource)
) STRICT, WITHOUT ROWID;

CREATE TABLE guests (
  id TEXT PRIMARY KEY,
  instance_id TEXT NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  shard INTEGER NOT NULL,
  role TEXT NOT NULL DEFAULT '',
  term INTEGER NOT NULL DEFAULT 0,
  generation INTEGER NOT NULL DEFAULT 0,
  placement TEXT NOT NULL DEFAULT '',
  control_endpoint TEXT NOT NULL DEFAULT '',
  running_version TEXT NOT NULL DEFAULT '',
  agent_api INTEGER NOT NULL DEFAULT 0,
  uid INTEGER NOT NULL DEFAULT 0,
  sealing_public_key BLOB NOT NULL DEFAULT x'',
  nkey_public TEXT NOT NULL DEFAULT '',
  enrolled_at INTEGER,
  enrolment_hash TEXT NOT NULL DEFAULT '',
  enrolment_expires_at INTEGER NOT NULL DEFAULT 0,
  enrolment_keys TEXT NOT NULL DEFAULT '',
  incarnation INTEGER NOT NULL DEFAULT 0,
  sequence INTEGER NOT NULL DEFAULT 0,
  service INTEGER NOT NULL,
  silent_since INTEGER,
  volume_used_bytes INTEGER NOT NULL DEFAULT 0,
  message TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX guests_instance ON guests (instance_id, ordinal);
CREATE INDEX guests_shard ON guests (shard);
CREATE INDEX guests_placement ON guests (placement) WHERE placement <> '';
CREATE UNIQUE INDEX guests_uid ON guests (placement, uid) WHERE uid <> 0;

CREATE TABLE volumes (
  id TEXT PRIMARY KEY,
  instance_id TEXT NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
  guest_id TEXT,
  size_gib INTEGER NOT NULL,
  state INTEGER NOT NULL,
  keep_until INTEGER
) STRICT;
CREATE INDEX volumes_instance ON volumes (instance_id);
CREATE UNIQUE INDEX volumes_guest ON volumes (guest_id) WHERE guest_id IS NOT NULL;

CREATE TABLE endpoints (
  id TEXT PRIMARY KEY,
  instance_id TEXT NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
  guest_id TEXT,
  purpose TEXT NOT NULL,
  address TEXT NOT NULL DEFAULT '',
  port INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX endpoints_instance ON endpoints (instance_id, purpose);
CREATE UNIQUE INDEX endpoints_address ON endpoints (address, port) WHERE port <> 0;

CREATE TABLE tombstones (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  project_id TEXT NOT NULL,
  name TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::string_view kOperations = R"sql(
CREATE TABLE operations (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL,
  instance_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  workflow_version INTEGER NOT NULL,
  state INTEGER NOT NULL,
  current_step INTEGER NOT NULL,
  owner TEXT,
  due_at INTEGER NOT NULL,
  deadline INTEGER NOT NULL,
  reason TEXT NOT NULL,
  awaited_signal TEXT NOT NULL,
  waiting_since INTEGER,
  error TEXT NOT NULL,
  help TEXT NOT NULL,
  requested_by TEXT NOT NULL,
  request_id TEXT NOT NULL,
  cancel_requested INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  finished_at INTEGER,
  version INTEGER NOT NULL,
  memory BLOB NOT NULL
) STRICT;
-- States below 5 are those of an operation that has not ended.
CREATE INDEX operations_due ON operations (due_at) WHERE owner IS NULL AND state < 5;
CREATE INDEX operations_owner ON operations (owner) WHERE owner IS NOT NULL;
CREATE INDEX operations_instance ON operations (instance_id);

-- What was asked for, sealed secrets included, for as long as a step needs it.
CREATE TABLE operation_inputs (
  operation_id TEXT PRIMARY KEY REFERENCES operations (id) ON DELETE CASCADE,
  input BLOB NOT NULL
) STRICT;

CREATE TABLE operation_steps (
  operation_id TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  state INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  last_error TEXT NOT NULL,
  PRIMARY KEY (operation_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE operation_signals (
  sequence INTEGER PRIMARY KEY,
  operation_id TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  payload BLOB NOT NULL,
  at INTEGER NOT NULL,
  UNIQUE (operation_id, name)
) STRICT;

-- Mode 1 is exclusive, 2 is shared.
CREATE TABLE operation_locks (
  resource TEXT NOT NULL,
  operation_id TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
  mode INTEGER NOT NULL,
  PRIMARY KEY (resource, operation_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX operation_locks_exclusive ON operation_locks (resource) WHERE mode = 1;
CREATE INDEX operation_locks_operation ON operation_locks (operation_id);

CREATE TABLE requests (
  project_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  instance_id TEXT NOT NULL,
  operation_id TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (project_id, request_id)
) STRICT;
CREATE INDEX requests_at ON requests (at);
)sql";

constexpr std::string_view kEngine = R"sql(
-- A worker that has ended is kept for a day, so that its id never lives again.
CREATE TABLE workers (
  id TEXT PRIMARY KEY,
  expires_at INTEGER NOT NULL,
  ended INTEGER NOT NULL DEFAULT 0,
  judges INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX workers_expiry ON workers (ended, expires_at);

CREATE TABLE leases (
  name TEXT PRIMARY KEY,
  worker_id TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE shards (
  shard INTEGER PRIMARY KEY,
  worker_id TEXT
) STRICT;
WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < 63)
INSERT INTO shards (shard) SELECT n FROM number;

-- Rows are written in the order of their commits; a position is given later, by one relay.
CREATE TABLE events (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL,
  position INTEGER,
  project_id TEXT NOT NULL,
  type TEXT NOT NULL,
  resource TEXT NOT NULL,
  resource_id TEXT NOT NULL,
  resource_version INTEGER NOT NULL,
  data TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX events_fresh ON events (sequence) WHERE position IS NULL;
CREATE UNIQUE INDEX events_position ON events (position) WHERE position IS NOT NULL;
CREATE INDEX events_project ON events (project_id, position) WHERE position IS NOT NULL;
CREATE INDEX events_at ON events (at);

CREATE TABLE event_relay (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  stamped INTEGER NOT NULL,
  published INTEGER NOT NULL
) STRICT;
INSERT INTO event_relay VALUES (1, 0, 0);
)sql";

absl::Status Version1(Connection& db) {
  for (const std::string_view part : {kCatalogue, kInstances, kOperations, kEngine})
    TROVE_RETURN_IF_ERROR(db.Execute(part));
  return absl::OkStatus();
}

// The migration at index N brings schema N to N + 1.
constexpr std::array kMigrations = {&Version1, &Version2};
static_assert(kMigrations.size() == kStoreSchema);

// 0 when nothing is there yet.
absl::StatusOr<int> SchemaOf(Connection& db) {
  int tables = 0;
  int ours = 0;
  {
    Statement statement(db,
                        "SELECT count(*), coalesce(sum(name = 'schema_version'), 0) "
                        "FROM sqlite_schema");
    TROVE_RETURN_IF_ERROR(statement.Step().status());
    statement.Read(tables, ours);
  }
  if (tables == 0) return 0;
  if (ours == 0)
    return absl::FailedPreconditionError("the file is a database, but not a store of Trove");
  int version = 0;
  Statement statement(db, "SELECT coalesce(max(version), 0) FROM schema_version");
  TROVE_RETURN_IF_ERROR(statement.Step().status());
  statement.Read(version);
  return version;
}

}  // namespace

absl::Status ApplyMigrations(Connection& db, absl::Time now, int schema) {
  TROVE_ASSIGN_OR_RETURN(const int version, SchemaOf(db));
  if (version > kStoreSchema) {
    return absl::FailedPreconditionError("the store has schema " + std::to_string(version) +
                                         ", newer than this release's " +
                                         std::to_string(kStoreSchema) + ": use a newer release");
  }
  if (version == 0) {
    TROVE_RETURN_IF_ERROR(db.Execute(
        "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) "
        "STRICT"));
  }
  for (int next = version; next < schema; ++next) {
    TROVE_RETURN_IF_ERROR(kMigrations[static_cast<std::size_t>(next)](db));
    TROVE_RETURN_IF_ERROR(
        Run(db, "INSERT INTO schema_version (version, applied_at) VALUES (?, ?)", next + 1, now));
  }
  return absl::OkStatus();
}

absl::Status CheckSchema(Connection& db, std::string_view path) {
  TROVE_ASSIGN_OR_RETURN(const int version, SchemaOf(db));
  if (version >= kOldestStoreSchema && version <= kStoreSchema) return absl::OkStatus();
  std::string message = "store " + std::string(path) + " has schema " + std::to_string(version) +
                        "; this release works on " + std::to_string(kOldestStoreSchema) + " to " +
                        std::to_string(kStoreSchema) + ": ";
  message += version < kOldestStoreSchema ? "migrate it first (the launcher does so on start)"
                                          : "use a newer release";
  return absl::FailedPreconditionError(message);
}

}  // namespace trove::sqlite
