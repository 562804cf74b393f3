"""A Trove of the bench's own: started, asked, stopped."""

import http.client
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from urllib.parse import urlparse

import processes

CONTROL_PLANE = ("gateway", "api", "taskmanager", "conductor", "nats-server")


class Mesh:
    """Started by `programs`/trovectl in `folder`, which it makes."""

    def __init__(self, programs, folder):
        self.programs = Path(programs)
        self.folder = Path(folder)
        self.launcher = None
        self.up()

    def up(self):
        subprocess.run(
            [self.programs / "trovectl", "up", "--data-dir", self.folder, "--rest-port", "0",
             "--grpc-port", "0", "--detach"],
            check=True, stdout=subprocess.DEVNULL)
        self.environment = {}
        for line in (self.folder / "client.env").read_text().splitlines():
            name, value = line.removeprefix("export ").split("=", 1)
            self.environment[name] = value.strip("'\"")
        self.port = urlparse(self.environment["TROVE_REST_URL"]).port
        self.ca = self.environment["TROVE_CA"]
        self.tokens = {self.environment["TROVE_PROJECT"]: self.environment["TROVE_TOKEN"]}
        self.project = self.environment["TROVE_PROJECT"]

    def down(self, instances=False):
        words = [self.programs / "trovectl", "down", "--data-dir", self.folder]
        subprocess.run(words + (["--instances"] if instances else []), check=False,
                       stdout=subprocess.DEVNULL)

    def token(self, project):
        if project not in self.tokens:
            made = subprocess.run(
                [self.programs / "trovectl", "token", "create", "--project", project, "--role",
                 "member", "-o", "json"],
                check=True, stdout=subprocess.PIPE, env={**os.environ, **self.environment})
            self.tokens[project] = json.loads(made.stdout)["token"]
        return self.tokens[project]

    def pids(self):
        """{part of the control plane: pid}"""
        found = {}
        for pid, name in processes.find(str(self.folder)).items():
            part = name.removeprefix("trove-")
            if part in CONTROL_PLANE:
                found[part] = pid
        return found

    def client(self, project=None):
        project = project or self.project
        return Client(self.port, project, self.token(project))


class Client:
    """One kept connection to the REST door."""

    def __init__(self, port, project, token):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.project = project
        self.headers = {"X-Auth-Token": token, "Content-Type": "application/json"}

    def ask(self, method, path, body=None):
        """(status, answer)"""
        self.connection.request(method, f"/v1.0/{self.project}/{path}",
                                None if body is None else json.dumps(body), self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None

    def create(self, name, password):
        status, answer = self.ask("POST", "instances", {"instance": {
            "name": name, "flavorRef": 1, "volume": {"size": 1},
            "datastore": {"type": "mariadb"}, "databases": [{"name": "shop"}],
            "users": [{"name": "app", "password": password, "databases": [{"name": "shop"}]}]}})
        if status != 200:
            raise RuntimeError(f"create answered {status}: {answer}")
        return answer["instance"]["id"]

    def await_active(self, instance, every=0.002, within=120):
        end = time.monotonic() + within
        while time.monotonic() < end:
            _, answer = self.ask("GET", f"instances/{instance}")
            shown = answer["instance"]
            if shown["status"] == "ACTIVE":
                return shown
            if shown["status"] == "ERROR":
                raise RuntimeError(f"the instance failed: {shown.get('fault')}")
            time.sleep(every)
        raise RuntimeError(f"not ACTIVE within {within} s: {shown}")

    def delete(self, instance, within=60):
        self.ask("DELETE", f"instances/{instance}")
        end = time.monotonic() + within
        while self.ask("GET", f"instances/{instance}")[0] != 404:
            if time.monotonic() > end:
                raise RuntimeError("the instance is not gone")
            time.sleep(0.02)


def bench_programs(product, bench, source, folder):
    """A folder of programs in which the task manager has no hosts and the api counts statements."""
    programs = Path(folder) / "bin"
    programs.mkdir()
    # Programs look for their neighbours beside the file they are, so these two kinds are copies.
    shutil.copy(product / "trovectl", programs / "trovectl")
    shutil.copy(bench / "trove-bench-api", programs / "trove-api")
    shutil.copy(bench / "trove-bench-taskmanager", programs / "trove-taskmanager")
    for name in ("trove-gateway", "trove-conductor", "trove-keeper", "trove-agent-mariadb"):
        shutil.copy(product / name, programs / name)
    (programs / "statements").write_bytes(bytes(8))
    manifests = Path(folder) / "share/trove/mariadb"
    manifests.mkdir(parents=True)
    shutil.copy(source / "agents/mariadb/manifest.yaml", manifests)
    return programs
