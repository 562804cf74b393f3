"""What a host does to a mesh, and what becomes of it: processes that die or hang, a reboot, a volume
that is gone, a second task manager, a bus that is away, a disk that is full or read-only."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import time
import unittest

import faults
from faults import FaultMesh, begin, ended_within, eventually, rest, settle

# TROVE_MATRIX=all: everything, for as long as it takes.
BUS_AWAY = 60 if os.environ.get("TROVE_MATRIX") == "all" else 5  # seconds


class Host(unittest.TestCase):
    maxDiff = None
    mesh = None

    @classmethod
    def setUpClass(cls):
        cls.mesh = FaultMesh()
        cls.addClassCleanup(cls.mesh.close)
        cls.mesh.up()
        cls.mesh.config_group = cls.mesh.group(dynamic="7")

    def setUp(self):
        self.instance = self.mesh.make_ready()
        self.addCleanup(self.tidy)

    def tidy(self):
        faults.clean(self.mesh, self.instance)

    def address(self):
        row = self.mesh.rows("SELECT address, port FROM endpoints WHERE instance_id = ?", self.instance)[0]
        return row["address"], row["port"]

    def ask(self, word):
        return faults.ask_sample(self.address(), word)

    def works(self):
        with contextlib.suppress(OSError, ValueError):
            return self.ask("get") is not None
        return False

    def of_guest(self, name, instance=None):
        """The process of this name of our instance, or none."""
        uid = self.mesh.rows("SELECT uid FROM guests WHERE instance_id = ?", instance or self.instance)[0]["uid"]
        return next((p.pid for p in self.mesh.processes(name) if uid in (0, p.uid)), None)

    # ---- processes that die or hang

    def test_a_killed_keeper_is_missed_within_about_a_second(self):
        self.ask("add")
        server = self.of_guest("trove-agent-sample-server")
        # The look each second of this mesh's settings shall not be what notices it.
        killed = self.mesh.process("trove-keeper").pid
        begun = time.monotonic()
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: [p.pid for p in self.mesh.processes("trove-keeper")] not in ([], [killed]), 3,
                   "another keeper runs")
        self.assertLess(time.monotonic() - begun, 1.5)
        self.assertEqual(self.of_guest("trove-agent-sample-server"), server, "the database was restarted")
        self.assertEqual(self.ask("get"), 1)

    def test_an_agent_that_hangs_is_replaced_and_its_server_runs_on(self):
        server, agent = self.of_guest("trove-agent-sample-server"), self.of_guest("trove-agent-sample")
        os.kill(agent, signal.SIGSTOP)
        eventually(lambda: self.of_guest("trove-agent-sample") not in (None, agent), 60, "another agent runs")
        self.assertEqual(self.of_guest("trove-agent-sample-server"), server, "the database was restarted")
        eventually(lambda: not self.mesh.rows("SELECT 1 FROM guests WHERE instance_id = ? AND silent_since "
                                              "IS NOT NULL", self.instance), 20, "it is heard again")

    def test_a_killed_server_comes_back_with_its_data(self):
        self.ask("add")
        server = self.of_guest("trove-agent-sample-server")
        os.kill(server, signal.SIGKILL)
        eventually(lambda: self.of_guest("trove-agent-sample-server") not in (None, server), 20, "another runs")
        eventually(self.works, 10, "it answers")
        self.assertEqual(self.ask("get"), 1)

    def test_a_volume_that_is_gone_is_never_made_again(self):
        self.ask("add")
        volume = self.mesh.rows("SELECT id FROM volumes WHERE instance_id = ?", self.instance)[0]["id"]
        place = self.mesh.data / "volumes" / volume
        aside = self.mesh.folder / "aside"
        place.rename(aside)
        shown = eventually(lambda: (one := self.mesh.show(self.instance))["status"] == "ERROR" and one, 15,
                           "the instance is in ERROR")
        self.assertIn("volume is missing", shown["fault"]["message"])
        for process in self.mesh.processes("trove-keeper"):
            os.kill(process.pid, signal.SIGKILL)
        time.sleep(2.5)  # two looks
        self.assertFalse(place.exists())
        aside.rename(place)
        eventually(lambda: self.mesh.show(self.instance)["status"] == "ACTIVE", 20, "it is ACTIVE again")
        eventually(self.works, 20, "it answers")
        self.assertEqual(self.ask("get"), 1)

    # ---- a reboot

    def test_after_a_reboot_everything_comes_back_and_what_was_stopped_stays_stopped(self):
        mesh = self.mesh
        self.ask("add")
        stopped = mesh.make_ready(name="stopped")
        self.addCleanup(lambda: faults.clean(mesh, stopped))
        self.assertEqual(mesh.wait_ended(begin(mesh, "stop", stopped)), "SUCCEEDED")
        _, creating = mesh.make(name="in the making")
        for process in mesh.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        eventually(lambda: not mesh.processes(), 10, "nothing runs")
        shutil.rmtree(mesh.runtime_folder(), ignore_errors=True)
        for claim in mesh.claims():
            (faults.claims_folder() / claim).unlink()
        mesh.up()
        self.assertEqual(mesh.wait_ended(creating, 90), "SUCCEEDED")
        self.addCleanup(lambda: [faults.clean(mesh, row["id"]) for row in mesh.rows(
            "SELECT id FROM instances WHERE name = 'in the making'")])
        eventually(self.works, 30, "it answers")
        self.assertEqual(self.ask("get"), 1)
        if os.geteuid() == 0:  # else guests have no users to tell them by
            eventually(lambda: self.of_guest("trove-agent-sample", stopped), 20, "its agent runs")
            time.sleep(1)
            self.assertIsNone(self.of_guest("trove-agent-sample-server", stopped), "the stopped one runs")
        self.assertEqual(mesh.wait_ended(begin(mesh, "start", stopped)), "SUCCEEDED")

    # ---- two task managers

    def second_task_manager(self):
        first = self.mesh.service("trove-taskmanager")[0]
        arguments = pathlib.Path(f"/proc/{first}/cmdline").read_text().split("\0")[1:-1]
        program = os.readlink(f"/proc/{first}/exe")
        log = (self.mesh.data / "logs/second.log").open("w")
        self.addCleanup(log.close)
        process = subprocess.Popen(
            [program, *arguments, "--listen", "127.0.0.1:0"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=log, env={**os.environ, "FAULTS_DIR": str(self.mesh.faults), "FAULTS_LEASE_MS": str(faults.LEASE_MS)})
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        eventually(lambda: "serving" in (self.mesh.data / "logs/second.log").read_text(), 20, "it serves")
        return process.pid

    def test_a_task_manager_that_was_stopped_past_its_lease_changes_nothing_any_more(self):
        mesh = self.mesh
        both = {self.second_task_manager(), *mesh.service("trove-taskmanager")}
        def go_on():
            for pid in both:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        self.addCleanup(go_on)
        past = 3 * faults.LEASE_MS / 1000
        taken_over = 0
        for kind in ("create", "resize"):
            instance = faults.prepare(mesh, kind)
            run = mesh.plan("count")
            instance, operation = faults.start(mesh, kind, instance)
            ended = mesh.wait_ended(operation)
            expected = rest(mesh, operation)
            labels = [b.label for b in mesh.boundaries(run)]
            faults.clean(mesh, instance)
            for index in sorted({1, 2, len(labels) // 2}):
                with self.subTest(f"{kind} stopped at {index}"):
                    instance = faults.prepare(mesh, kind)
                    run = mesh.plan("stop", index)
                    instance, operation = faults.start(mesh, kind, instance)
                    eventually(lambda: mesh.fired(run) or ended_within(mesh, operation), 30, "it stops")
                    time.sleep(past)
                    # Nobody can take over what it holds: the store, inside a transaction, or the guest,
                    # inside a call of the provisioner. Then it goes on past its lease.
                    if mesh.store_is_held():
                        go_on()
                    try:
                        mesh.wait_ended(operation, 8)
                        taken_over += 1
                    except AssertionError:
                        go_on()
                    self.assertEqual(mesh.wait_ended(operation, 60), ended)
                    # Files apart: it may have been stopped in the middle of writing one anew.
                    different = [each for each in settle(mesh, operation, expected) if not each.startswith("guests:")]
                    self.assertEqual(different, [])
                    go_on()
                    time.sleep(past)  # what it still tries, it tries at once
                    self.assertEqual(settle(mesh, operation, expected), [], f"after {mesh.fired(run)} went on")
                go_on()
                faults.clean(mesh, instance)
        self.assertGreater(taken_over, 1, "hardly ever was it taken over")

    # ---- what a step needs is away

    def reason_of(self, operation):
        return self.mesh.operation(operation)["reason"]

    def test_while_the_bus_is_away_nothing_is_lost_and_the_reason_says_what_is_missing(self):
        mesh = self.mesh
        for pid in mesh.service("nats-server"):
            os.kill(pid, signal.SIGSTOP)
        self.addCleanup(lambda: mesh.kill_service("nats-server", signal.SIGCONT))
        operation = begin(mesh, "restart", self.instance)
        eventually(lambda: self.reason_of(operation), 10, "it says why it waits")
        time.sleep(BUS_AWAY)
        self.assertIn("guest agent", self.reason_of(operation))
        self.assertIsNotNone(eventually(self.works, 5, "the database answers"))
        mesh.kill_service("nats-server", signal.SIGCONT)
        self.assertEqual(mesh.wait_ended(operation, 60), "SUCCEEDED")

    def test_a_provisioner_that_fails_some_times_is_asked_again_and_the_reason_says_so(self):
        mesh = self.mesh
        run = mesh.plan("fail", "Ensure", 3)
        instance, operation = mesh.make()
        self.addCleanup(lambda: faults.clean(mesh, instance))
        eventually(lambda: "told to fail" in self.reason_of(operation), 20, "the reason says what failed")
        self.assertEqual(mesh.wait_ended(operation, 60), "SUCCEEDED")
        self.assertEqual(len([b for b in mesh.boundaries(run) if b.fired]), 3)

    def test_a_read_only_store_loses_nothing(self):
        if os.geteuid() != 0:
            self.skipTest("mounts need root")
        store = self.mesh.data / "store"
        operation = begin(self.mesh, "restart", self.instance)
        for command in (("mount", "--bind", store, store), ("mount", "-o", "remount,ro,bind", store)):
            done = faults.run_quietly(*command)
            if done.returncode != 0:
                faults.run_quietly("umount", "-l", store)
                self.skipTest(f"cannot mount: {done.stderr}")
        try:
            time.sleep(2)
            self.assertEqual(self.mesh.show(self.instance)["id"], self.instance, "it is not shown meanwhile")
        finally:
            faults.run_quietly("umount", "-l", store)
        self.assertEqual(self.mesh.wait_ended(operation, 60), "SUCCEEDED")
        eventually(self.works, 10, "it answers")


class FullDisk(unittest.TestCase):
    maxDiff = None

    def test_a_disk_that_fills_up_stops_what_needs_it_and_loses_nothing(self):
        if os.geteuid() != 0:
            self.skipTest("mounts need root")
        mesh = FaultMesh()
        mesh.data.mkdir()
        mounted = faults.run_quietly("mount", "-t", "tmpfs", "-o", "size=64m,mode=711", "tmpfs", mesh.data)
        if mounted.returncode != 0:
            self.skipTest(f"cannot mount: {mounted.stderr}")
        self.addCleanup(lambda: faults.run_quietly("umount", "-l", mesh.data))
        self.addCleanup(mesh.close)  # before it
        mesh.up()
        instance = mesh.make_ready()
        fill = mesh.data / "fill"
        operation = begin(mesh, "restart", instance)
        with contextlib.suppress(OSError), fill.open("wb") as file:
            while True:
                file.write(b"x" * 65536)
                file.flush()
        with contextlib.suppress(AssertionError):
            mesh.wait_ended(operation, 5)
        self.assertEqual(mesh.show(instance)["id"], instance, "it is not shown meanwhile")
        fill.unlink()
        self.assertEqual(mesh.wait_ended(operation, 90), "SUCCEEDED")
        mesh.remove(instance)


if __name__ == "__main__":
    unittest.main(verbosity=2)
