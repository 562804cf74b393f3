"""What must be true of a mesh at every moment, whatever is done to it. Each check returns what is
wrong, in words; some things may be so for a moment, and are wrong only when they stay."""

import os
import pathlib
import time

SERVERS = ("mariadbd", "trove-agent-sample-server")
GUEST = ("trove-keeper",)
OPEN = 5  # operations with a lower state have not ended


class Checks:
    """Looks again and again. `grace`: seconds that a passing state may last."""

    def __init__(self, mesh, grace=20.0, late=30.0):
        self.mesh = mesh
        self.grace = grace
        self.late = late
        self.looks = 0
        self._since = {}
        self._events = 0
        self._versions = {}
        self._position = 0

    def look(self):
        """Everything that is wrong now. Reads the store in one transaction."""
        self.looks += 1
        rows = self.mesh.rows
        rows("BEGIN")
        try:
            wrong = [*self.operations(rows), *self.quotas(rows), *self.events(rows)]
            guests = {row["id"]: row for row in rows("SELECT g.id, g.uid, e.port, i.id AS instance FROM guests g "
                                                     "JOIN instances i ON i.id = g.instance_id "
                                                     "JOIN endpoints e ON e.instance_id = i.id")}
            volumes = {row["id"] for row in rows("SELECT id FROM volumes")}
        finally:
            rows("COMMIT")
        passing = [*self.host(guests, volumes)]
        return wrong + self.lasting(passing)

    def lasting(self, passing):
        now = time.monotonic()
        self._since = {what: self._since.get(what, now) for what in passing}
        return [f"{what} (for {now - since:.0f} s)" for what, since in self._since.items()
                if now - since > self.grace]

    def operations(self, rows):
        for row in rows("SELECT instance_id, count(*) AS n, group_concat(kind) AS kinds FROM operations "
                        "WHERE state < ? GROUP BY instance_id HAVING n > 1", OPEN):
            yield f"instance {row['instance_id']} has {row['n']} open operations: {row['kinds']}"
        for row in rows("SELECT l.resource, l.operation_id FROM operation_locks l "
                        "LEFT JOIN operations o ON o.id = l.operation_id WHERE o.state IS NULL OR o.state >= ?",
                        OPEN):
            yield f"{row['resource']} is locked by {row['operation_id']}, which is not open"
        for row in rows("SELECT id, kind FROM operations o WHERE state < ? AND NOT EXISTS (SELECT 1 FROM "
                        "operation_locks l WHERE l.operation_id = o.id)", OPEN):
            yield f"{row['kind']} {row['id']} is open and holds no lock"
        for row in rows("SELECT id, kind, deadline, reason FROM operations WHERE state < ?", OPEN):
            late = time.time() - row["deadline"] / 1e6
            if late > self.late:
                yield f"{row['kind']} {row['id']} is {late:.0f} s past its deadline: {row['reason']}"
        for row in rows("SELECT i.id, i.task FROM instances i WHERE i.task IN (2, 3, 4, 5) AND NOT EXISTS "
                        "(SELECT 1 FROM operations o WHERE o.instance_id = i.id AND o.state < ?) "
                        "AND i.updated_at < ?", OPEN, int((time.time() - self.grace) * 1e6)):
            yield f"instance {row['id']} has task {row['task']} and nobody works on it"

    def quotas(self, rows):
        charged = {(row["project_id"], row["resource"]): row["amount"] for row in rows(
            "SELECT i.project_id, c.resource, sum(c.amount) AS amount FROM quota_charges c "
            "JOIN instances i ON i.id = c.instance_id GROUP BY 1, 2")}
        reserved = {(row["project_id"], row["resource"]): row["amount"] for row in rows(
            "SELECT o.project_id, r.resource, sum(r.held) AS amount FROM operation_quotas r "
            "JOIN operations o ON o.id = r.operation_id GROUP BY 1, 2")}
        for row in rows("SELECT project_id, resource, in_use, reserved FROM quota_usages"):
            key = row["project_id"], row["resource"]
            if row["in_use"] != charged.get(key, 0):
                yield f"quota {key}: {row['in_use']} in use, {charged.get(key, 0)} charged"
            if row["reserved"] != reserved.get(key, 0):
                yield f"quota {key}: {row['reserved']} reserved, {reserved.get(key, 0)} by operations"

    def events(self, rows):
        for row in rows("SELECT sequence, resource, resource_id, resource_version FROM events "
                        "WHERE sequence > ? ORDER BY sequence", self._events):
            self._events = row["sequence"]
            key = row["resource"], row["resource_id"]
            if row["resource_version"] < self._versions.get(key, -1):
                yield (f"event {row['sequence']} of {key} has version {row['resource_version']} after "
                       f"{self._versions[key]}")
            self._versions[key] = row["resource_version"]
        for row in rows("SELECT stamped, published FROM event_relay"):
            if row["published"] > row["stamped"] or row["stamped"] < self._position:
                yield f"the relay went back: {row}, {self._position} before"
            self._position = row["stamped"]

    def host(self, guests, volumes):
        mesh = self.mesh
        uids = {row["uid"] for row in guests.values() if row["uid"]}
        servers = {}
        for process in mesh.processes():
            if process.name in SERVERS:
                servers.setdefault(process.uid, []).append(process.pid)
            if os.geteuid() == 0 and process.uid not in uids and process.uid != 0 and \
                    process.uid != 200000:  # the builder of templates
                yield f"process {process.pid} ({process.name}) is of user {process.uid}, who is no guest"
        for uid, pids in servers.items():
            if os.geteuid() == 0 and len(pids) > 1:
                yield f"user {uid} has {len(pids)} servers on one volume: {pids}"
        for name, known in (("guests", set(guests)), ("volumes", volumes)):
            for path in (mesh.data / name).glob("*"):
                if path.name not in known and not path.name.startswith(".new-"):
                    yield f"{name}/{path.name} belongs to nobody"
        for path in (mesh.data / "trash").glob("*"):
            yield f"trash/{path.name} stays"
        numbers = {("port", row["port"]) for row in guests.values()} | \
            {("uid", row["uid"]) for row in guests.values()}
        for claim in mesh.claims():
            kind, number = claim.split("-")
            if (kind, int(number)) not in numbers:
                yield f"claim {claim} belongs to nobody"


def server_count(pid_folder=pathlib.Path("/proc")):
    return sum(1 for _ in pid_folder.glob("[0-9]*"))
