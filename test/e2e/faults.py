"""Meshes in which things go wrong on purpose: an installation of their own, whose task manager has
boundaries (test/support/faults) at which it is killed or stopped, and what such a mesh looks like
from outside when everything has come to rest."""

import collections
import contextlib
import fcntl
import os
import pathlib
import re
import signal
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time

from mesh import BIN, Mesh, claims_folder, eventually, instance_pb2, operation_pb2

from trove.v1 import configuration_pb2  # noqa: E402 (made by protoc; mesh.py knows where)

SAMPLE = BIN.parent / "sample"
AGENTS = BIN.parent.parent.parent / "agents"
LEASE_MS = 500
ENDED = {5: "SUCCEEDED", 6: "FAILED", 7: "CANCELLED"}
Boundary = collections.namedtuple("Boundary", "index label fired")

# Starts a service again at once: the launcher's back-off, which grows when a process dies often, is
# not what is tested here.
WRAPPER = """#!/bin/bash
export FAULTS_DIR={faults} FAULTS_LEASE_MS={lease}
stopping=
trap 'stopping=1; kill -TERM "$child" 2>/dev/null' TERM INT
while :; do
  setpriv --pdeathsig KILL bash -c 'exec -a "$0" "{program}" "$@"' "{name}" "$@" &
  child=$!
  wait "$child"; code=$?
  if [[ -n $stopping ]]; then wait "$child"; exit 0; fi
  (( code > 128 )) || exit "$code"
done
"""


class FaultMesh(Mesh):
    """A mesh with the datastores `sample` and `mariadb`, and boundaries in its task manager."""

    def __init__(self):
        super().__init__()
        self.installation = self.folder / "trove"
        self.programs = self.installation / "bin"
        self.programs.mkdir(parents=True)
        self.faults = self.folder / "faults"
        self.api_faults = self.folder / "faults-api"
        for folder in (self.faults, self.api_faults):
            folder.mkdir()
        self.path = self.folder / "path"
        self.path.mkdir()
        for source in [*sorted((SAMPLE / "bin").iterdir()), BIN / "trove-agent-mariadb"]:
            link(source, self.programs / source.name)
        for manifests in (SAMPLE / "share/trove", AGENTS):
            for manifest in manifests.glob("*/manifest.yaml"):
                folder = self.installation / "share/trove" / manifest.parent.name
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(manifest, folder)
        real = {"trove-conductor": SAMPLE / "bin/trove-conductor",
                "trove-api": BIN.parent / "test/trove-test-api",
                "trove-taskmanager": BIN.parent / "test/trove-test-taskmanager"}
        real["nats-server"] = pathlib.Path(shutil.which("nats-server"))
        for name, program in real.items():
            if name != "nats-server":
                moved = self.installation / name
                (self.programs / name).unlink()
                link(program, moved)
                program = moved
            place = (self.path if name == "nats-server" else self.programs) / name
            place.write_text(WRAPPER.format(
                faults=self.api_faults if name == "trove-api" else self.faults, lease=LEASE_MS, name=place, program=program))
            place.chmod(0o755)
        for folder in (self.folder, self.installation, self.programs):
            folder.chmod(0o755)
        self.config_group = ""  # what `attach` attaches
        self._runs = 0
        self._db = None

    def up(self, *settings):
        path = f"{self.path}:{os.environ['PATH']}"
        return super().up("conductor.heartbeat_expiry_ms=4000", "taskmanager.heartbeat_interval_ms=500",
                          "taskmanager.reconcile_interval_ms=1000", "api.most_volume_gib=1000",
                          *settings, environment={"PATH": path})

    # ---- boundaries

    def plan(self, action, *words, folder=None):
        """What shall happen at a boundary, of the task manager or with `api_faults` of the api. Returns
        the name of this run."""
        self._runs += 1
        run = f"r{self._runs}"
        folder = folder or self.faults
        beside = folder / "plan.new"
        beside.write_text(" ".join([run, action, *map(str, words)]))
        beside.rename(folder / "plan")
        return run

    def forget_plan(self):
        with contextlib.suppress(FileNotFoundError):
            (self.faults / "plan").unlink()

    def boundaries(self, run):
        """What this run came by, in order."""
        for folder in (self.faults, self.api_faults):
            if not (folder / "log").exists():
                continue
            lines = [line.split(" ") for line in (folder / "log").read_text().splitlines()]
            lines = [words for words in lines if words[0] == run]
            if lines:
                return [Boundary(int(words[1]), " ".join(words[2:]), words[-1] in ("kill", "stop", "fail"))
                    for words in lines]
        return []

    def fired(self, run):
        return next((b for b in self.boundaries(run) if b.fired), None)

    def service(self, name):
        """The pids of a service itself, without what starts it again."""
        found = []
        for process in self.processes(name):
            with contextlib.suppress(OSError):
                exe = os.readlink(f"/proc/{process.pid}/exe")
                if not exe.endswith("/bash"):
                    found.append(process.pid)
        return found

    def kill_service(self, name, number=signal.SIGKILL):
        for pid in self.service(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def store_is_held(self):
        """Whether somebody is inside a transaction: for ever, when it was stopped there."""
        with open(self.data / "store/trove.db.lock", "rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    # ---- requests

    def begin(self, method, request, response=instance_pb2.Instance):
        """Asks until the mesh serves; returns the id of the operation."""
        return self.ask(method, request, response).operation_id

    def ask(self, method, request, response):
        import grpc
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.call(method, request, response)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAVAILABLE or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def make(self, name="one", datastore="sample", request_id="", **more):
        """Asks for an instance; returns its id and that of its operation."""
        made = self.ask("InstanceService/CreateInstance",
                        instance_pb2.CreateInstanceRequest(
                            name=name, flavor_id="1", volume_size_gib=1, datastore=datastore,
                            request_id=request_id, **more), instance_pb2.Instance)
        return made.id, made.operation_id

    def make_ready(self, **more):
        instance, operation = self.make(**more)
        ended = self.wait_ended(operation)
        assert ended == "SUCCEEDED", f"create {ended}: {self.operation(operation)}"
        return instance

    def remove(self, instance):
        operation = self.begin("InstanceService/DeleteInstance",
                               instance_pb2.DeleteInstanceRequest(id=instance))
        ended = self.wait_ended(operation)
        assert ended == "SUCCEEDED", f"delete {ended}: {self.operation(operation)}"

    def group(self, **values):
        made = self.ask("ConfigurationService/CreateConfiguration",
                        configuration_pb2.CreateConfigurationRequest(
                            name="group", datastore="sample", datastore_version="1", values=values),
                        configuration_pb2.Configuration)
        return made.id

    # ---- the store, read beside the services

    def rows(self, statement, *values):
        if self._db is None:
            self._db = sqlite3.connect(f"file:{self.data}/store/trove.db?mode=ro", uri=True,
                                       isolation_level=None, check_same_thread=False, timeout=10)
            self._db.row_factory = sqlite3.Row
        return [dict(row) for row in self._db.execute(statement, values)]

    def close(self):
        if self._db:
            self._db.close()
            self._db = None
        self.forget_plan()
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
        super().close()

    def operation(self, operation):
        found = self.rows("SELECT * FROM operations WHERE id = ?", operation)
        return found[0] if found else None

    def wait_ended(self, operation, within=60):
        """How the operation ended."""
        last = {}
        def ended():
            last.update(self.operation(operation) or {"state": 0})
            return ENDED.get(last["state"])
        try:
            return eventually(ended, within, "the operation ends")
        except AssertionError as late:
            steps = self.rows("SELECT name, state, attempts, last_error FROM operation_steps "
                              "WHERE operation_id = ? ORDER BY position", operation)
            last.pop("memory", None)
            raise AssertionError(f"{late}: {last} {steps}\n{self.logs()}") from None

    # ---- what is compared

    def state(self, operation):
        """Everything that an undisturbed run leaves in the same way: rows without times, counters
        and names that differ from run to run; processes, files and claims."""
        found = {}
        cancelled = bool(self.rows("SELECT 1 FROM operations WHERE id = ? AND state = 7", operation))
        tables = [row["name"] for row in self.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        for table in tables:
            if table in UNCOMPARED or table.startswith("sqlite_"):
                continue
            rows = self.rows(f"SELECT * FROM {table}")
            if table == "operations":
                rows = [row for row in rows if row["id"] == operation]
            elif table == "operation_steps":
                # How far a cancelled one came is a matter of moments.
                rows = [] if cancelled else [row for row in rows if row["operation_id"] == operation]
            elif table == "operation_quotas":  # what an ended one had set aside stays, as nothing
                rows = [row for row in rows if row["operation_id"] == operation or row["held"]]
            found[table] = sorted(masked({key: value for key, value in row.items() if compared(key)})
                                  for row in rows)
        found["processes"] = sorted(p.name for p in self.processes() if p.name not in CONTROL and
                                    p.pid not in self.service_pids())
        for name in ("guests", "volumes", "trash"):
            found[name] = sorted(masked(str(path.relative_to(self.data)))
                                 for depth in ("*", "*/*") if not (name == "volumes" and depth != "*")
                                 for path in (self.data / name).glob(depth))
        found["sockets"] = len(list(self.runtime_folder().glob("*")))
        found["claims"] = sorted(claim.split("-")[0] for claim in self.claims())
        return found

    def service_pids(self):
        return {pid for name in CONTROL for pid in self.service(name)}


CONTROL = ("trove-api", "trove-gateway", "trove-taskmanager", "trove-conductor", "nats-server", "trovectl",
           "bash")

# Of workers and delivery, of what is asked (not of what is done), and of what there is to ask for.
UNCOMPARED = {"workers", "leases", "shards", "events", "event_relay", "schema_version", "tokens",
              "requests", "answers", "audit", "datastores", "datastore_versions", "flavors",
              "configurations", "configuration_values", "project_turns", "tombstones"}

VOLATILE = re.compile(
    r"(_at|_at_us|^at|^version|generation|incarnation|sequence|.*key.*|nkey.*|enrolment.*|uid|port|memory|"
    r"attempts|last_error|request_id|requested_by|due_at|deadline|owner|silent_since|volume_used_bytes|"
    r"waiting_since|shard|cancel_requested|current_step|cancellable|control_endpoint|operation_id|turn)$|^finished|^started|^created|^updated")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def compared(column):
    return not VOLATILE.search(column)


def masked(value):
    return UUID.sub("<id>", str(value))


def differences(expected, found):
    """What differs between two states, in words; empty: nothing."""
    return [f"{name}: expected {expected.get(name)}, found {found.get(name)}"
            for name in sorted({*expected, *found}) if expected.get(name) != found.get(name)]


def link(source, place):
    try:
        os.link(source, place)
    except OSError:  # another file system
        shutil.copy2(source, place)


# ---- what can be asked of an instance, as (what comes before, the request)

def request_of(kind, instance, mesh):
    """The call that begins an operation of this kind."""
    pb = instance_pb2
    return {
        "restart": ("RestartInstance", pb.RestartInstanceRequest(id=instance)),
        "stop": ("StopInstance", pb.StopInstanceRequest(id=instance)),
        "start": ("StartInstance", pb.StartInstanceRequest(id=instance)),
        "resize": ("ResizeInstance", pb.ResizeInstanceRequest(id=instance, flavor_id="2")),
        "grow": ("GrowVolume", pb.GrowVolumeRequest(id=instance, size_gib=2)),
        "attach": ("AttachConfiguration",
                   pb.AttachConfigurationRequest(id=instance, configuration_id=mesh.config_group)),
        "detach": ("DetachConfiguration", pb.DetachConfigurationRequest(id=instance)),
        "upgrade": ("UpgradeInstance", pb.UpgradeInstanceRequest(id=instance, datastore_version="2")),
        "rebuild": ("RebuildInstance", pb.RebuildInstanceRequest(id=instance)),
        "delete": ("DeleteInstance", pb.DeleteInstanceRequest(id=instance)),
    }[kind]


KINDS = ("create", "delete", "restart", "stop", "start", "resize", "grow", "attach", "detach", "upgrade",
         "rebuild")
FIRST = {"start": "stop", "detach": "attach"}  # what must have been done before


def begin(mesh, kind, instance):
    method, request = request_of(kind, instance, mesh)
    return mesh.begin(f"InstanceService/{method}", request)


def prepare(mesh, kind, datastore="sample"):
    """An instance that an operation of this kind can begin on; None for a create."""
    if kind == "create":
        return None
    instance = mesh.make_ready(datastore=datastore)
    if kind in FIRST:
        ended = mesh.wait_ended(begin(mesh, FIRST[kind], instance))
        assert ended == "SUCCEEDED", f"{FIRST[kind]} before {kind} {ended}"
    return instance


def start(mesh, kind, instance, datastore="sample"):
    """Begins it. Returns instance and operation."""
    if kind == "create":
        return mesh.make(datastore=datastore)
    return instance, begin(mesh, kind, instance)


def settle(mesh, operation, expected, within=20):
    """Waits until the mesh looks as expected; what differs when it does not."""
    last = []
    def same():
        last[:] = differences(expected, mesh.state(operation))
        return not last
    try:
        eventually(same, within, "the state of an undisturbed run")
    except AssertionError:
        pass
    return last


def rest(mesh, operation, calm=0.4, within=15):
    """The state once it does not change any more."""
    deadline = time.monotonic() + within
    last, since = None, 0.0
    while time.monotonic() < deadline:
        now = mesh.state(operation)
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > calm:
            break
        time.sleep(0.05)
    return last


def clean(mesh, instance):
    """Removes what a case left."""
    mesh.forget_plan()
    mesh.kill_service("trove-taskmanager", signal.SIGCONT)
    if instance and mesh.rows("SELECT 1 FROM instances WHERE id = ?", instance):
        mesh.remove(instance)


def cancel(mesh, operation):
    return mesh.ask("OperationService/CancelOperation", operation_pb2.CancelOperationRequest(id=operation),
                    operation_pb2.Operation)


def ended_within(mesh, operation):
    """How it has ended; None: not yet."""
    row = mesh.operation(operation)
    return row and ENDED.get(row["state"])


def ask_sample(address, word):
    """One word to the server of the datastore `sample`, whose answer is a number."""
    with socket.create_connection(address, timeout=3) as connection:
        connection.sendall(word.encode() + b"\n")
        return int(connection.makefile().readline())


def run_quietly(*command):
    return subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True)


def temporary_folder():
    return pathlib.Path(tempfile.mkdtemp(prefix="trove-e2e-"))
