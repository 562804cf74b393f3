"""A random schedule of operations and faults on one mesh, and what must always be true checked each
second. See scripts/soak.

  soak.py [--minutes N] [--seed S] [--instances N] [--no-faults]"""

import argparse
import collections
import contextlib
import os
import pathlib
import random
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))

import grpc  # noqa: E402

import faults  # noqa: E402
from checks import Checks  # noqa: E402
from faults import FaultMesh, instance_pb2, operation_pb2, request_of, run_quietly  # noqa: E402
from mesh import run  # noqa: E402

KINDS = ("restart", "stop", "start", "resize", "grow", "attach", "detach", "upgrade", "rebuild", "delete")
SERVICES = ("trove-taskmanager", "trove-conductor", "trove-api", "nats-server", "trove-gateway")
GUEST = ("trove-keeper", "trove-agent-sample", "trove-agent-sample-server", "trove-agent-mariadb", "mariadbd")
REFUSED = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.RESOURCE_EXHAUSTED,
           grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.ABORTED)
PASSWORD = "s3cret-of-app"
END_WITHIN = 120.0  # seconds after the last fault for every operation to end


class Counter:
    """Adds one to a number in an instance again and again, and remembers what was acknowledged."""

    def __init__(self, instance, datastore, address, ca):
        self.instance, self.datastore, self.address, self.ca = instance, datastore, address, ca
        self.acknowledged = 0

    def sql(self, statement):
        done = run("mariadb", "--no-defaults", "--protocol=tcp", f"--host={self.address[0]}",
                   f"--port={self.address[1]}", "--user=app", f"--ssl-ca={self.ca}", "--connect-timeout=2",
                   "--batch", "--skip-column-names", "shop", "-e", statement,
                   environment={"MYSQL_PWD": PASSWORD}, within=10)
        return int(done.stdout) if done.returncode == 0 and done.stdout.strip() else None

    def line(self, text):
        with socket.create_connection(self.address, timeout=2) as connection:
            connection.sendall(text.encode() + b"\n")
            return int(connection.makefile().readline())

    def step(self):
        """One write. What is wrong; None: nothing."""
        try:
            if self.datastore == "sample":
                value = self.line("add")
            else:
                value = self.sql("CREATE TABLE IF NOT EXISTS n (id INT PRIMARY KEY, v INT) ENGINE=InnoDB; "
                                 "INSERT INTO n VALUES (1, 1) ON DUPLICATE KEY UPDATE v = v + 1; "
                                 "SELECT v FROM n")
        except (OSError, ValueError, run_timeout()):
            return None
        return self.seen(value, 1)

    def read(self):
        try:
            value = self.line("get") if self.datastore == "sample" else self.sql("SELECT v FROM n")
        except (OSError, ValueError, run_timeout()):
            return "is not answered"
        if value is None:
            return "is not answered"
        return self.seen(value, 0)

    def seen(self, value, added):
        if value is None:
            return None
        if value < self.acknowledged + added:
            return f"holds {value}, and {self.acknowledged} writes were acknowledged"
        self.acknowledged = value
        return None


def run_timeout():
    import subprocess
    return subprocess.TimeoutExpired


class Soak:
    def __init__(self, seed, minutes, instances, with_faults):
        self.seed = seed
        self.random = random.Random(seed)
        self.seconds = minutes * 60
        self.most = instances
        self.with_faults = with_faults
        self.mesh = FaultMesh()
        self.schedule = collections.deque(maxlen=80)
        self.counts = collections.Counter()
        self.counters = {}
        self.wrong = []
        self.names = 0
        self.stopped = {}  # pid → when it goes on
        self.lock = threading.Lock()

    def note(self, what):
        self.schedule.append(f"{time.strftime('%H:%M:%S')} {what}")

    # ---- what is done

    def call(self, method, request, response):
        """None: it was refused, or the mesh does not serve now."""
        try:
            return self.mesh.call(method, request, response)
        except grpc.RpcError as error:
            if error.code() in REFUSED:
                self.counts[f"refused {error.code().name}"] += 1
                self.note(f"  refused: {error.details()}")
            elif error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED,
                                  grpc.StatusCode.CANCELLED):
                self.counts["not served"] += 1
            else:
                self.wrong.append(f"{method} answered {error.code()}: {error.details()}")
            return None

    def create(self):
        self.names += 1
        datastore = self.random.choice(self.datastores)
        more = {}
        if datastore == "mariadb":
            more = {"databases": [instance_pb2.DatabaseSpec(name="shop")],
                    "users": [instance_pb2.UserSpec(name="app", password=PASSWORD, databases=["shop"])]}
        request = instance_pb2.CreateInstanceRequest(
            name=f"soak {self.names}", flavor_id="1", volume_size_gib=1, datastore=datastore,
            request_id=f"create-{self.seed}-{self.names}", **more)
        first = self.call("InstanceService/CreateInstance", request, instance_pb2.Instance)
        self.note(f"create {datastore} → {first and first.id}")
        if self.random.random() < 0.3:
            again = self.call("InstanceService/CreateInstance", request, instance_pb2.Instance)
            if first and again and first.id != again.id:
                self.wrong.append(f"the same request made {first.id} and {again.id}")

    def act(self, instance):
        kind = self.random.choice(KINDS)
        if kind == "upgrade" and instance["agent"] != "sample":
            kind = "restart"
        method, request = request_of(kind, instance["id"], self.mesh)
        if kind == "resize":
            request.flavor_id = self.random.choice(["1", "2"])
        if kind == "grow":
            request.size_gib = instance["volume_size_gib"] + 1
        if kind == "delete" and self.random.random() < 0.5:
            return
        request.request_id = f"{kind}-{self.random.getrandbits(64):x}"
        first = self.call(f"InstanceService/{method}", request, instance_pb2.Instance)
        self.note(f"{kind} {instance['id']} → {first and first.operation_id}")
        if first:
            self.counts[kind] += 1
            if self.random.random() < 0.2:
                again = self.call(f"InstanceService/{method}", request, instance_pb2.Instance)
                if again and again.operation_id and again.operation_id != first.operation_id:
                    self.wrong.append(f"the same {kind} began {first.operation_id} and {again.operation_id}")

    def operate(self):
        instances = self.mesh.rows("SELECT i.id, i.volume_size_gib, v.agent FROM instances i "
                                   "JOIN datastore_versions v ON v.id = i.version_id")
        what = self.random.random()
        if len(instances) < self.most and (what < 0.25 or not instances):
            return self.create()
        if what < 0.32:
            return self.turn("CancelOperation", "state < 5", operation_pb2.CancelOperationRequest)
        if what < 0.37:
            return self.turn("RetryOperation", "state = 6", operation_pb2.RetryOperationRequest)
        if instances:
            self.act(self.random.choice(instances))

    def turn(self, method, which, request):
        operations = self.mesh.rows(f"SELECT id, kind FROM operations WHERE {which}")
        if operations:
            chosen = self.random.choice(operations)
            done = self.call(f"OperationService/{method}", request(id=chosen["id"]), operation_pb2.Operation)
            self.note(f"{method} {chosen['kind']} {chosen['id']} → {bool(done)}")
            self.counts[method] += bool(done)

    def harm(self):
        name = self.random.choice(SERVICES + GUEST)
        pids = self.mesh.service(name)
        if not pids:
            return
        pid = self.random.choice(pids)
        with contextlib.suppress(ProcessLookupError):
            if self.random.random() < 0.6:
                os.kill(pid, signal.SIGKILL)
                self.note(f"kill -9 {name} {pid}")
                self.counts[f"killed {name}"] += 1
            else:
                seconds = self.random.choice([0.2, 1.0, 3.0, 6.0])
                os.kill(pid, signal.SIGSTOP)
                self.stopped[pid] = time.monotonic() + seconds
                self.note(f"stop {name} {pid} for {seconds} s")
                self.counts[f"stopped {name}"] += 1

    def go_on(self, everybody=False):
        for pid, when in list(self.stopped.items()):
            if everybody or time.monotonic() >= when:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
                del self.stopped[pid]

    # ---- what is written and read

    def write(self, done):
        """A thread: a write in each instance that has an address and was built, over and over."""
        while not done.wait(0.2):
            for counter in list(self.counters.values()):
                wrong = counter.step()
                if wrong:
                    self.wrong.append(f"instance {counter.instance} {wrong}")

    def find_counters(self):
        rows = self.mesh.rows(
            "SELECT i.id, v.agent, e.address, e.port FROM instances i "
            "JOIN datastore_versions v ON v.id = i.version_id JOIN endpoints e ON e.instance_id = i.id "
            "WHERE EXISTS (SELECT 1 FROM operations o WHERE o.instance_id = i.id AND o.kind = 'instance.create' "
            "AND o.state = 5) AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.instance_id = i.id "
            "AND o.kind = 'instance.delete')")
        found = {row["id"]: row for row in rows}
        for gone in set(self.counters) - set(found):
            del self.counters[gone]
        for each in set(found) - set(self.counters):
            row = found[each]
            self.counters[each] = Counter(each, row["agent"], (row["address"], row["port"]),
                                          self.mesh.client["TROVE_CA"])

    # ---- the whole

    def run(self):
        self.mesh.up()
        self.mesh.config_group = self.mesh.group(dynamic="7")
        self.datastores = [row["name"] for row in self.mesh.rows("SELECT name FROM datastores WHERE deleted = 0")]
        self.checks = Checks(self.mesh)
        done = threading.Event()
        writer = threading.Thread(target=self.write, args=(done,))
        writer.start()
        try:
            next_look = 0.0
            until = time.monotonic() + self.seconds
            while time.monotonic() < until and not self.wrong:
                self.operate()
                if self.with_faults and self.random.random() < 0.25:
                    self.harm()
                self.go_on()
                if time.monotonic() >= next_look:
                    next_look = time.monotonic() + 1
                    self.look()
                time.sleep(self.random.uniform(0.05, 0.5))
            self.go_on(everybody=True)
            if not self.wrong:
                self.come_to_rest()
        finally:
            done.set()
            writer.join()
            self.go_on(everybody=True)
        if not self.wrong:
            self.leave_nothing()
        return not self.wrong

    def look(self):
        self.find_counters()
        self.wrong += self.checks.look()

    def come_to_rest(self):
        """Every operation ends, and what was written is there."""
        deadline = time.monotonic() + END_WITHIN
        while not self.wrong:
            self.look()
            left = self.mesh.rows("SELECT id, kind, state, reason FROM operations WHERE state < 5")
            if not left:
                break
            if time.monotonic() > deadline:
                self.wrong.append(f"not ended {END_WITHIN:.0f} s after the last fault: {left}")
                return
            time.sleep(0.5)
        for instance, counter in list(self.counters.items()):
            row = self.mesh.rows("SELECT task, service, fault_message FROM instances WHERE id = ?", instance)
            if not row or row[0]["task"] != 1 or row[0]["service"] in (34, 4) or row[0]["fault_message"]:
                continue  # stopped, or in ERROR with its reason
            last = "is not answered"
            deadline = time.monotonic() + 30
            while last and time.monotonic() < deadline:
                last = counter.read()
                if last and "holds" in last:
                    break
                time.sleep(0.2)
            state = self.mesh.rows("SELECT task, service FROM instances WHERE id = ?", instance)
            if last and state and state[0]["service"] == 33:
                self.wrong.append(f"instance {instance} ({counter.datastore}) {last}: {state}")

    def leave_nothing(self):
        for row in self.mesh.rows("SELECT id FROM instances"):
            self.mesh.ask("InstanceService/DeleteInstance", instance_pb2.DeleteInstanceRequest(id=row["id"]),
                          instance_pb2.Instance)
        deadline = time.monotonic() + END_WITHIN
        while (left := self.mesh.rows("SELECT id FROM instances")) and time.monotonic() < deadline:
            time.sleep(0.2)
        if left:
            self.wrong.append(f"not deleted: {left}")
        deadline = time.monotonic() + 30
        def traces():
            services = self.mesh.service_pids()
            return [trace for trace in self.mesh.guest_traces()
                    if not any(f"pid={pid}," in trace for pid in services) and "bash" not in trace and
                    not any(f"name='{name}'" in trace for name in faults.CONTROL)]
        while (left := traces()) and time.monotonic() < deadline:
            time.sleep(0.2)
        if left:
            self.wrong.append(f"left behind: {left}")
        for row in self.mesh.rows("SELECT resource, in_use, reserved FROM quota_usages"):
            if row["in_use"] or row["reserved"]:
                self.wrong.append(f"quota {row} of a mesh without instances")

    def tell(self):
        print("schedule's tail:")
        for line in self.schedule:
            print("  " + line)
        named = " ".join(self.wrong)
        for row in self.mesh.rows("SELECT * FROM operations ORDER BY created_at"):
            if row["id"] in named or row["instance_id"] in named:
                row.pop("memory", None)
                print(f"operation {row}")
                for step in self.mesh.rows("SELECT name, state, attempts, last_error FROM operation_steps "
                                           "WHERE operation_id = ? ORDER BY position", row["id"]):
                    print(f"    {step}")
        print(self.mesh.logs(30))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--instances", type=int, default=5)
    parser.add_argument("--no-faults", action="store_true")
    options = parser.parse_args()
    print(f"soak --minutes {options.minutes:g} --seed {options.seed}", flush=True)
    soak = Soak(options.seed, options.minutes, options.instances, not options.no_faults)
    good = False
    try:
        good = soak.run()
    finally:
        if soak.wrong:
            print("WRONG:")
            for what in soak.wrong[:20]:
                print("  " + what)
            with contextlib.suppress(Exception):
                soak.tell()
        ended = collections.Counter()
        with contextlib.suppress(Exception):
            for row in soak.mesh.rows("SELECT kind, state, count(*) AS n FROM operations GROUP BY 1, 2"):
                ended[f"{row['kind'].removeprefix('instance.')} {faults.ENDED.get(row['state'], 'open')}"] = row["n"]
        print("operations:", dict(ended))
        print("done:", dict(soak.counts))
        try:
            soak.mesh.close()
        except AssertionError as left:
            print(left)
            good = False
    print(f"seed {options.seed}: {'all good' if good else 'FAILED'}, "
          f"{getattr(soak, 'checks', None) and soak.checks.looks} looks")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
