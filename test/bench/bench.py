"""Measures Trove against its budgets. Run by scripts/bench, which builds what it needs."""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import by_hand
import processes
from mesh import CONTROL_PLANE, Mesh, bench_programs
from report import Report

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ROOT / "build/release/bin"
BENCH = ROOT / "build/release/bench"
PASSWORD = "bench-only-0815"


class Bench:
    def __init__(self, quick):
        self.quick = quick
        self.many = "rows1000" if quick else "rows100000"
        self.report = Report()
        self.folder = Path(tempfile.mkdtemp(prefix="trove-bench."))
        self.folder.chmod(0o711)  # a guest has a user of its own, who must reach its folder
        self.meshes = []

    def start(self, name, programs=PRODUCT):
        mesh = Mesh(programs, self.folder / name)
        self.meshes.append(mesh)
        return mesh

    def stop(self, mesh):
        # Where there are no hosts, nothing outlives the mesh.
        mesh.down(instances=mesh.programs == PRODUCT)
        self.meshes.remove(mesh)

    def clean_up(self):
        for mesh in list(self.meshes):
            self.stop(mesh)
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- create ----

    def create(self):
        """A create through REST against the database's own programs."""
        repeats = 2 if self.quick else 3
        hand = [by_hand.fresh_mariadb() for _ in range(repeats)]
        mesh = self.start("create")
        first = self.create_one(mesh, "first", {})
        steps = {}
        later = [self.create_one(mesh, f"later-{i}", steps) for i in range(3 if self.quick else 5)]
        hand += [by_hand.fresh_mariadb() for _ in range(repeats)]
        floor = statistics.median(hand)
        self.report.details["create"] = {"by_hand_s": hand, "first_s": first, "later_s": later,
                                         "steps_ms": {k: statistics.median(v)
                                                      for k, v in steps.items()}}
        where = "median ms by step: " + ", ".join(
            f"{name} {statistics.median(values):.0f}" for name, values in steps.items())
        self.report.add("MariaDB by hand: install-db, start, SELECT 1 (median)", floor, "s")
        self.report.add("create to SELECT 1 over TLS, later creates (median)",
                        statistics.median(later), "s")
        self.report.add("  the first create after `up`, ratio to by hand", first / floor, "x",
                        at_most=1.1, hint="it waits for the template, which `up` begins to build")
        self.report.add("  later creates, ratio to by hand",
                        statistics.median(later) / floor, "x", at_most=0.6, hint=where)
        self.stop(mesh)

    def create_one(self, mesh, name, steps):
        client = mesh.client()
        begun = time.monotonic()
        instance = client.create(name, PASSWORD)
        shown = client.await_active(instance, every=0.005)
        active = time.monotonic()
        address = shown["addresses"][0]
        by_hand.await_select_1(
            ["--protocol=tcp", f"--host={address['address']}", f"--port={address['port']}",
             "--user=app", f"--ssl-ca={mesh.ca}", "--ssl-verify-server-cert", "shop"], PASSWORD)
        took = time.monotonic() - begun
        steps.setdefault("ACTIVE", []).append((active - begun) * 1000)
        steps.setdefault("connect and SELECT 1", []).append((begun + took - active) * 1000)
        client.delete(instance)
        return took

    # ---- our own part of a create ----

    def own(self):
        """REST call to ACTIVE with nothing behind us: no host, guests that only talk."""
        mesh = self.sim()
        client = mesh.client()
        times = []
        before = self.cpu(mesh)
        for i in range(10 if self.quick else 40):
            begun = time.monotonic()
            instance = client.create(f"own-{i}", PASSWORD)
            client.await_active(instance, every=0.001)
            times.append((time.monotonic() - begun) * 1000)
            client.delete(instance)
        spent = self.split(before, self.cpu(mesh), len(times))
        self.report.details["own"] = {"ms": times, "cpu_ms_per_create_and_delete": spent}
        hint = "CPU ms per create and delete: " + self.words(spent)
        self.report.add("our own part of a create: REST to ACTIVE (median)",
                        statistics.median(times), "ms", at_most=50, hint=hint)
        self.report.add("  90th percentile", sorted(times)[int(len(times) * 0.9)], "ms")

    def sim(self):
        """The mesh without hosts, with few and with many instances in projects of their own."""
        for mesh in self.meshes:
            if mesh.folder.name == "sim":
                return mesh
        programs = bench_programs(PRODUCT, BENCH, ROOT, self.folder)
        mesh = self.start("sim", programs)
        mesh.down()
        for project, count in (("rows20", 20), (self.many, int(self.many.removeprefix("rows")))):
            subprocess.run([BENCH / "trove-bench-seed", mesh.folder / "store/trove.db", project,
                            str(count)], check=True)
        mesh.up()
        return mesh

    # ---- REST reads ----

    def rest(self):
        """Lists and shows: rates, latencies, CPU, SQL statements."""
        mesh = self.sim()
        for project in ("rows20", self.many):
            token = mesh.token(project)
            rows = mesh.client(project).ask("GET", "instances")[1]["instances"]
            base = f"/v1.0/{project}/instances"
            self.read(mesh, token, f"list of 20 of {project.removeprefix('rows')}", [base],
                      at_most_cpu=0.7, full=project == "rows20")
            if project == self.many:
                self.read(mesh, token, "show", [f"{base}/{row['id']}" for row in rows],
                          at_most_cpu=0.35, full=True)

    def read(self, mesh, token, name, paths, at_most_cpu, full):
        seconds = 1.5 if self.quick else 4
        self.load(mesh, token, paths, 8, 0.5, 0)  # caches, connections
        results = {}
        runs = [(8, 0), (8, 500)] if self.quick or not full else [(1, 0), (8, 0), (32, 0), (8, 500)]
        for connections, rate in runs:
            before, statements = self.cpu(mesh), self.statements(mesh)
            result = self.load(mesh, token, paths, connections, seconds, rate)
            result["cpu_ms"] = self.split(before, self.cpu(mesh), result["requests"])
            result["statements"] = (self.statements(mesh) - statements) / result["requests"]
            label = f"{rate}/s" if rate else f"{connections} connections"
            results[label] = result
            self.report.add(f"REST {name}, {label}: requests/s", result["per_second"], "/s")
            if rate:
                self.report.add("  p50", result["p50_ms"], "ms")
                self.report.add("  p99", result["p99_ms"], "ms", at_most=5,
                                hint="other work on the machine shows here first; CPU ms per "
                                f"request: {self.words(result['cpu_ms'])}")
            else:
                self.report.add("  p50", result["p50_ms"], "ms")
                self.report.add("  p99", result["p99_ms"], "ms")
        busy = results["8 connections"]
        self.report.add(f"REST {name}: CPU of all processes per request",
                        sum(busy["cpu_ms"].values()), "ms", at_most=at_most_cpu,
                        hint=f"split: {self.words(busy['cpu_ms'])}"
                        f"{self.profile(mesh, token, paths)}")
        self.report.add(f"REST {name}: SQL statements per request", busy["statements"], "",
                        at_most=1.02)
        self.report.details[f"rest {name}"] = results

    def load(self, mesh, token, paths, connections, seconds, rate):
        asked = subprocess.run(
            [BENCH / "trove-bench-load", str(mesh.port), str(connections), str(seconds), str(rate),
             token, *paths], check=True, stdout=subprocess.PIPE)
        return json.loads(asked.stdout)

    def profile(self, mesh, token, paths):
        """The dearest functions of the api and the gateway under load, where perf may look."""
        if shutil.which("perf") is None or self.quick:
            return ""
        pids = mesh.pids()
        data = self.folder / "perf.data"
        recording = subprocess.Popen(
            ["perf", "record", "-q", "-F", "499", "-o", data, "-p",
             f"{pids['api']},{pids['gateway']}", "--", "sleep", "1.5"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.load(mesh, token, paths, 8, 1.8, 0)
        if recording.wait() != 0 or not data.exists():
            return "; perf may not look at this machine"
        shown = subprocess.run(
            ["perf", "report", "-i", data, "--stdio", "--sort", "dso", "-q"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout.decode()
        lines = [" ".join(line.split()) for line in shown.splitlines() if line.strip()][:6]
        return "; perf by library: " + ", ".join(lines)

    def cpu(self, mesh):
        return {part: processes.cpu_seconds(pid) for part, pid in mesh.pids().items()}

    @staticmethod
    def split(before, after, count):
        """CPU milliseconds of each process for each of `count` requests."""
        return {part: (after[part] - before[part]) * 1000 / count
                for part in CONTROL_PLANE if part in before and part in after}

    @staticmethod
    def words(spent):
        return ", ".join(f"{part} {value:.3f}" for part, value in spent.items())

    @staticmethod
    def statements(mesh):
        return int.from_bytes((mesh.programs / "statements").read_bytes(), sys.byteorder)

    # ---- memory and idling ----

    def memory(self):
        """What the processes hold at rest and after load, and what an idle guest costs."""
        mesh = self.start("memory")
        client = mesh.client()
        # At rest: the template is built and nothing has been asked.
        instance = client.create("memory", PASSWORD)
        client.await_active(instance)
        client.delete(instance)
        mesh.down()
        mesh.up()
        client = mesh.client()
        client.ask("GET", "instances")
        time.sleep(1)
        self.control_plane(mesh, "at rest", at_most=100)

        instance = client.create("memory", PASSWORD)
        client.await_active(instance)
        self.guest(mesh)
        token = mesh.token(mesh.project)
        base = f"/v1.0/{mesh.project}/instances"
        self.load(mesh, token, [base, f"{base}/{instance}"], 32, 1.5 if self.quick else 5, 0)
        self.control_plane(mesh, "after load")
        self.stop(mesh)

    def control_plane(self, mesh, when, at_most=None):
        sizes = {part: processes.memory_mb(pid) for part, pid in mesh.pids().items()}
        self.report.details[f"control plane {when}"] = sizes
        split = ", ".join(f"{part} {size['rss']:.0f}/{size['pss']:.0f}/{size['anon']:.0f}"
                          for part, size in sizes.items())
        self.report.add(f"control plane {when}: RSS", sum(s["rss"] for s in sizes.values()), "MB",
                        at_most=at_most, hint=f"RSS/PSS/anonymous MB: {split}")
        self.report.add("  PSS (shared pages divided)", sum(s["pss"] for s in sizes.values()), "MB")
        self.report.add("  anonymous", sum(s["anon"] for s in sizes.values()), "MB")

    def guest(self, mesh):
        pids = {name: pid for pid, name in processes.find(str(mesh.folder / "guests")).items()
                if name in ("trove-keeper", "trove-agent-mariadb")}
        time.sleep(1)
        sizes = {name: processes.memory_mb(pid) for name, pid in pids.items()}
        split = ", ".join(
            f"{name} {size['rss']:.1f}/{size['pss']:.1f}/{size['anon']:.1f} in "
            f"{size['threads']} threads" for name, size in sizes.items())
        seconds = 3 if self.quick else 10
        share = processes.cpu_share(pids.values(), seconds)
        self.report.details["guest"] = {
            "memory_mb": sizes, "cpu_share": {name: share[pid] for name, pid in pids.items()}}
        self.report.add("agent and keeper: RSS", sum(s["rss"] for s in sizes.values()), "MB",
                        at_most=16, hint=f"RSS/PSS/anonymous MB: {split}")
        self.report.add("  PSS (shared pages divided)", sum(s["pss"] for s in sizes.values()), "MB")
        self.report.add("  anonymous", sum(s["anon"] for s in sizes.values()), "MB")
        self.report.add(f"  share of a core over {seconds} idle s", sum(share.values()) * 100, "%",
                        at_most=0.1, hint=", ".join(
                            f"{name} {share[pid] * 100:.3f} %" for name, pid in pids.items()))

    # ---- heartbeats ----

    def heartbeats(self):
        """How many heartbeats a conductor takes in."""
        answered = subprocess.run(
            [BENCH / "trove-bench-heartbeats", "2000", "2" if self.quick else "4"],
            check=True, stdout=subprocess.PIPE)
        result = json.loads(answered.stdout.splitlines()[-1])
        self.report.details["heartbeats"] = result
        self.report.add("heartbeats taken in by a conductor, per second of CPU",
                        result["per_cpu_second"], "/s", at_least=20000)


    # ---- operations ----

    def operations(self):
        """One task manager: operations per second, waiting ones, and a takeover."""
        seconds = "4" if self.quick else "15"
        for mix, name in (("create", "creates and deletes"), ("restart", "restarts")):
            result = self.engine("throughput", mix, seconds, "64", "32")
            self.report.details[f"operations {mix}"] = result
            split = ", ".join(f"{thread} {ms:.2f}"
                              for thread, ms in result["cpu_ms_by_thread"].items())
            self.report.add(f"{name} through one task manager", result["per_second"], "/s",
                            at_least=500, hint=f"CPU ms per operation: {split}")
            self.report.add("  CPU of task manager, conductor and guests for each",
                            result["cpu_ms"], "ms")
            self.report.add("  accepted to ended, p50", result["p50_ms"], "ms")
            self.report.add("  p99", result["p99_ms"], "ms")
        waiting = self.engine("waiting", "10000", "5" if self.quick else "20")
        self.report.details["waiting"] = waiting
        self.report.add("a task manager with 10,000 waiting operations: RSS", waiting["rss_mb"],
                        "MB", at_most=200)
        self.report.add("  share of a core while nothing is due", waiting["cpu_share"] * 100, "%")
        takeover = self.engine("takeover", "8" if self.quick else "50")
        self.report.details["takeover"] = takeover
        self.report.add("takeover after kill -9 of one of two task managers, p99",
                        takeover["p99_ms"] / 1000, "s", at_most=2)
        self.report.add("  p50", takeover["p50_ms"] / 1000, "s")

    @staticmethod
    def engine(*words):
        answered = subprocess.run([BENCH / "trove-bench-engine", *words], check=True,
                                  stdout=subprocess.PIPE)
        return json.loads(answered.stdout.splitlines()[-1])


MEASURES = ("create", "own", "rest", "memory", "heartbeats", "operations")


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter runs, about two minutes in all")
    parser.add_argument("--only", action="append", choices=MEASURES, help="may be repeated")
    parser.add_argument("--json", metavar="FILE", help="write everything measured here")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = Bench(options.quick)
    try:
        for name in options.only or MEASURES:
            print(f"== {name}: {getattr(bench, name).__doc__}", flush=True)
            getattr(bench, name)()
    finally:
        bench.clean_up()
    bench.report.print()
    if options.json:
        bench.report.write(options.json)


if __name__ == "__main__":
    main()
