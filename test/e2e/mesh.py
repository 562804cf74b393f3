"""A mesh of its own for a test: started by `trovectl up` in a fresh folder, used by REST and gRPC, and
cleaned up with everything that it made. Waits are for conditions and have a bound; only processes
that belong to the mesh are ever signalled, by their pid."""

import collections
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import grpc

BIN = pathlib.Path(os.environ["TROVE_TEST_BIN"])
sys.path.insert(0, os.environ["TROVE_TEST_PROTOS"])

from trove.v1 import instance_pb2, operation_pb2  # noqa: E402 (made by protoc)

SERVICES = ("trove-api", "trove-gateway", "trove-taskmanager", "trove-conductor", "nats-server")
POLL_SECONDS = 0.02

Answer = collections.namedtuple("Answer", "status headers body raw")
Process = collections.namedtuple("Process", "pid name uid")


def eventually(condition, within, what):
    """Returns the condition's first true value; fails when there is none in `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {what}")
        time.sleep(POLL_SECONDS)


def run(*command, within=60, **options):
    """Runs a program to its end without input, in an environment without our variables."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TROVE_", "OS_"))}
    environment.update(options.pop("environment", {}))
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=within, env=environment, check=False, **options)


def claims_folder():
    return pathlib.Path("/run/trove/claims" if os.geteuid() == 0 else f"/tmp/trove-claims-{os.geteuid()}")


def free_port():
    """A port that nobody has now: for tests that must name one before `up` does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Mesh:
    """One mesh. Not running until up()."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="trove-e2e-"))
        self.folder.chmod(0o711)  # a guest has a user of its own, who must reach its folder
        self.data = self.folder / "data"
        self.client = {}
        self.programs = BIN
        self._channel = None

    def up(self, *settings, environment=None):
        """Starts it; a setting is e.g. "taskmanager.reconcile_interval_ms=1000"."""
        options = [word for setting in settings for word in ("--set", setting)]
        done = run(self.programs / "trovectl", "up", "--data-dir", self.data, "--rest-port", 0,
                   "--grpc-port", 0, "--detach", *options, within=120, environment=environment or {})
        if done.returncode != 0:
            raise AssertionError(f"up failed: {done.stdout}{done.stderr}\n{self.logs()}")
        self.client = dict(line[len("export "):].split("=", 1)
                           for line in (self.data / "client.env").read_text().splitlines())
        self.disconnect()
        return self

    def down(self, *options):
        self.disconnect()
        done = run(self.programs / "trovectl", "down", "--data-dir", self.data, *options, within=180)
        if done.returncode != 0:
            raise AssertionError(f"down failed: {done.stdout}{done.stderr}\n{self.logs()}")

    def close(self):
        """Removes the mesh with its instances; what will not end is killed, and that is an error."""
        try:
            if self.data.exists():
                self.down("--instances")
            # A template that was in the making ends by itself.
            deadline = time.monotonic() + 15
            while (left := self.processes()) and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
        finally:
            for process in self.processes():
                os.kill(process.pid, signal.SIGKILL)
            shutil.rmtree(self.folder, ignore_errors=True)
        if left:
            raise AssertionError(f"still there after down --instances: {left}")

    def logs(self, lines=8):
        """The last lines of every log: what a failure prints."""
        said = []
        for log in sorted([*self.data.glob("logs/*.log"), *self.data.glob("guests/*/state/*.log")]):
            tail = log.read_text(errors="replace").splitlines()[-lines:]
            said.append("\n".join([f"--- {log.relative_to(self.data)}", *tail]))
        return "\n".join(said)

    # ---- REST

    @property
    def project(self):
        return self.client["TROVE_PROJECT"]

    @property
    def rest_address(self):
        host, port = self.client["TROVE_REST_URL"].removeprefix("http://").split(":")
        return host, int(port)

    def request(self, method, path, body=None, headers=None, within=30):
        """Sends exactly this to an absolute path; `body` is bytes. A port that nobody listens on, as
        while the gateway is being started again, is tried again."""
        def sent():
            connection = http.client.HTTPConnection(*self.rest_address, timeout=within)
            try:
                connection.request(method, path, body=body, headers=headers or {})
                response = connection.getresponse()
                raw = response.read()
            except (ConnectionRefusedError, http.client.RemoteDisconnected, ConnectionResetError):
                if method not in ("GET", "DELETE"):
                    raise
                return None
            finally:
                connection.close()
            try:
                parsed = json.loads(raw) if raw else None
            except ValueError:
                parsed = None
            return Answer(response.status, response.headers, parsed, raw)
        return eventually(sent, within, f"{method} {path} is answered")

    def patient(self, method, path, document=None):
        """As `rest`, and again while the answer is 503: what a client does while a service that was
        killed comes back."""
        last = []
        def answered():
            last[:] = [self.rest(method, path, document)]
            return last[0].status != 503
        eventually(answered, 30, f"{method} {path} is served")
        return last[0]

    def rest(self, method, path, document=None, token=None):
        """Sends a JSON document to a path below the project."""
        headers = {"X-Auth-Token": token or self.client["TROVE_TOKEN"]}
        body = None
        if document is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(document).encode()
        return self.request(method, f"/v1.0/{self.project}/{path}", body, headers)

    def create(self, name="orders", password="s3cret-of-app", **more):
        """Asks for an instance with database `shop` and user `app`; returns its id."""
        answer = self.patient("POST", "instances", {"instance": {
            "name": name, "flavorRef": 1, "volume": {"size": 1}, "databases": [{"name": "shop"}],
            "users": [{"name": "app", "password": password, "databases": [{"name": "shop"}]}], **more}})
        if answer.status != 200:
            raise AssertionError(f"create answered {answer.status}: {answer.raw}")
        return answer.body["instance"]["id"]

    def show(self, instance):
        """The instance, or None when it is gone. Patient while a service is being started again."""
        def shown():
            answer = self.rest("GET", f"instances/{instance}")
            return answer if answer.status in (200, 404) else None
        answer = eventually(shown, 30, "show is answered")
        return answer.body["instance"] if answer.status == 200 else None

    def wait_status(self, instance, wanted="ACTIVE", within=60):
        last = {}
        def reached():
            last.clear()
            last.update(self.show(instance) or {"status": "gone"})
            if last["status"] == "ERROR" and wanted != "ERROR":
                raise AssertionError(f"ERROR: {last.get('fault')} {last.get('reason')}\n{self.logs()}")
            return last["status"] == wanted
        try:
            eventually(reached, within, f"{instance} is {wanted}")
        except AssertionError as late:
            raise AssertionError(f"{late}; it is {last}\n{self.logs()}") from None
        return last

    def delete(self, instance):
        answer = self.patient("DELETE", f"instances/{instance}")
        if answer.status != 202:
            raise AssertionError(f"delete answered {answer.status}: {answer.raw}")

    def wait_gone(self, instance, within=60):
        last = {}
        def gone():
            found = self.show(instance)
            last.update(found or {})
            return found is None
        try:
            eventually(gone, within, f"{instance} is gone")
        except AssertionError as late:
            raise AssertionError(f"{late}; it is {last}\n{self.logs()}") from None

    # ---- gRPC

    def disconnect(self):
        if self._channel:
            self._channel.close()
            self._channel = None

    def _method(self, kind, method, request, response, token):
        if not self._channel:
            root = pathlib.Path(self.client["TROVE_CA"]).read_bytes()
            self._channel = grpc.secure_channel(self.client["TROVE_GRPC_ENDPOINT"],
                                                grpc.ssl_channel_credentials(root_certificates=root))
        call = getattr(self._channel, kind)(f"/trove.v1.{method}",
                                            request_serializer=type(request).SerializeToString,
                                            response_deserializer=response.FromString)
        bearer = token or self.client["TROVE_TOKEN"]
        return call(request, timeout=60, metadata=[("authorization", f"Bearer {bearer}")])

    def call(self, method, request, response, token=None):
        """One answer of e.g. "InstanceService/GetInstance"."""
        return self._method("unary_unary", method, request, response, token)

    def stream(self, method, request, response, token=None):
        """All answers until the server ends the call."""
        return list(self._method("unary_stream", method, request, response, token))

    def get(self, instance):
        return self.call("InstanceService/GetInstance", instance_pb2.GetInstanceRequest(id=instance),
                         instance_pb2.Instance)

    def watch(self, operation):
        return self.stream("OperationService/WatchOperation",
                           operation_pb2.WatchOperationRequest(id=operation), operation_pb2.Operation)

    # ---- the database

    def address(self, instance):
        return self.show(instance)["addresses"][0]

    def sql(self, instance, statement, password="s3cret-of-app", tls=True, address=None):
        """Runs SQL as user `app` in `shop`, as a client on the network would. Returns what became of
        the client. With an address the mesh is not asked for it, and may be down."""
        address = address or self.address(instance)
        security = ["--ssl-ca=" + self.client["TROVE_CA"], "--ssl-verify-server-cert"] if tls else ["--skip-ssl"]
        return run("mariadb", "--no-defaults", "--protocol=tcp", f"--host={address['address']}",
                   f"--port={address['port']}", "--user=app", *security, "--batch",
                   "--skip-column-names", "shop", "-e", statement, environment={"MYSQL_PWD": password})

    # ---- what the machine shows of it

    def processes(self, name=None):
        """The mesh's processes: those that name its data directory."""
        found = []
        for folder in pathlib.Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                arguments = (folder / "cmdline").read_bytes().split(b"\0")
                uid = folder.stat().st_uid
            except OSError:
                continue  # it ended meanwhile
            program = pathlib.Path(os.fsdecode(arguments[0])).name
            # The launcher keeps the words it was started with.
            ours = any(os.fsencode(self.data) in argument for argument in arguments)
            if ours and (name is None or program == name):
                found.append(Process(int(folder.name), program, uid))
        return found

    def process(self, name, within=30):
        return eventually(lambda: self.processes(name), within, f"{name} runs")[0]

    def kill(self, name, within=30):
        """SIGKILLs the process of that name, once there is one. Returns its pid."""
        process = self.process(name, within)
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return process.pid

    @property
    def mesh_id(self):
        return (self.data / "mesh-id").read_text().strip()

    def claims(self):
        """Host-wide claims of ports and uids by this mesh."""
        found = []
        for claim in claims_folder().glob("*-*"):
            try:
                if claim.read_text().startswith(self.mesh_id):
                    found.append(claim.name)
            except OSError:
                continue  # given back meanwhile, or somebody else's
        return found

    def guest_traces(self):
        """Everything on this machine that instances have left: empty when there are none."""
        traces = [str(p) for p in self.processes()
                  if p.name not in SERVICES and p.name != "trovectl"]
        for name in ("guests", "volumes", "trash"):  # `records` keeps their tombstones
            traces += [str(entry) for entry in (self.data / name).glob("*")]
        traces += self.claims()
        traces += [str(p) for p in self.runtime_folder().glob("*")]
        traces += [str(p) for p in pathlib.Path("/sys/fs/cgroup").glob(f"**/trove-{self.mesh_id}/*-*-*-*")]
        return traces

    def assert_traceless(self, within=30):
        try:
            eventually(lambda: not self.guest_traces(), within, "nothing of the instance is left")
        except AssertionError as late:
            raise AssertionError(f"{late}: {self.guest_traces()}\n{self.logs()}") from None

    def runtime_folder(self):
        if os.geteuid() == 0:
            return pathlib.Path("/run/trove") / self.mesh_id
        base = os.environ.get("XDG_RUNTIME_DIR")
        return pathlib.Path(base) / f"trove-{self.mesh_id}" if base else \
            pathlib.Path(f"/tmp/trove-{os.geteuid()}-{self.mesh_id}")

    def files_with(self, text):
        """Files of the data directory that hold this text, the database's own tables apart."""
        wanted = text.encode()
        found = []
        for path in self.data.rglob("*"):
            try:
                if path.is_file() and wanted in path.read_bytes():
                    found.append(str(path.relative_to(self.data)))
            except FileNotFoundError:
                continue
        return found


class MeshTest(unittest.TestCase):
    """A test case whose tests share one running mesh."""

    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh()
        cls.addClassCleanup(cls.mesh.close)
        cls.mesh.up()

    def assert_traceless(self):
        self.mesh.assert_traceless()
