"""kill -9 of every process at several moments: a create still ends ACTIVE, a delete still leaves
nothing, and databases do not notice that the mesh around them went and came."""

import contextlib
import os
import signal
import unittest

from mesh import BIN, SERVICES, Mesh, eventually, run

GUEST = ("trove-keeper", "trove-agent-mariadb", "mariadbd")

# When to kill, after the create was accepted: each waits until that moment has come.
MOMENTS = {
    "at once": lambda mesh: True,
    "when its folder is there": lambda mesh: list((mesh.data / "guests").glob("*")),
    "when its agent runs": lambda mesh: mesh.processes("trove-agent-mariadb"),
    "when its server runs": lambda mesh: mesh.processes("mariadbd"),
}


class Kill(unittest.TestCase):
    mesh = None

    @classmethod
    def setUpClass(cls):
        cls.renew()

    @classmethod
    def tearDownClass(cls):
        cls.mesh.close()

    @classmethod
    def renew(cls):
        """Another mesh, whose template is made: what follows shall not wait for that."""
        old, cls.mesh = cls.mesh, Mesh()
        if old:
            try:
                old.close()
            except AssertionError as left:
                print(left)
        # How soon a killed keeper is missed; a minute is the default.
        cls.mesh.up("taskmanager.reconcile_interval_ms=2000")
        instance = cls.mesh.create("first")
        cls.mesh.wait_status(instance)
        cls.mesh.delete(instance)
        cls.mesh.wait_gone(instance)

    @contextlib.contextmanager
    def scenario(self, name):
        """One sub-test. When it fails the next has a mesh of its own."""
        with self.subTest(name):
            try:
                yield
            except Exception:
                self.renew()
                raise

    def assert_usable(self, instance):
        self.mesh.wait_status(instance, within=90)
        answer = self.mesh.sql(instance, "SELECT 1")
        self.assertEqual((answer.stdout, answer.stderr), ("1\n", ""))

    def assert_gone(self, instance):
        self.mesh.wait_gone(instance, within=90)
        self.mesh.assert_traceless()

    def kill_and_see_another(self, victim):
        killed = self.mesh.kill(victim)
        eventually(lambda: [p.pid for p in self.mesh.processes(victim)] not in ([], [killed]), 120,
                   f"{victim} was started again")

    def create_survives(self, victim, come):
        instance = self.mesh.create()
        eventually(come, 60, "the moment to kill")
        self.kill_and_see_another(victim)
        self.assert_usable(instance)
        self.mesh.delete(instance)
        self.assert_gone(instance)

    def test_a_create_survives_the_death_of_any_service(self):
        for victim in SERVICES:
            for moment, come in MOMENTS.items():
                with self.scenario(f"{victim} {moment}"):
                    self.create_survives(victim, lambda: come(self.mesh))

    def test_a_create_survives_the_death_of_a_process_of_its_guest(self):
        for victim in GUEST:
            with self.scenario(f"{victim} as soon as it is there"):
                self.create_survives(victim, lambda: self.mesh.processes(victim))
        for victim in ("trove-keeper", "trove-agent-mariadb"):
            with self.scenario(f"{victim} when the server runs"):
                self.create_survives(victim, lambda: self.mesh.processes("mariadbd"))

    def test_a_guest_that_is_active_comes_back(self):
        for victim in GUEST:
            with self.scenario(victim):
                instance = self.mesh.create()
                self.mesh.wait_status(instance)
                self.kill_and_see_another(victim)
                eventually(lambda: self.mesh.sql(instance, "SELECT 1").stdout == "1\n", 60, "it answers")
                self.mesh.wait_status(instance)
                self.mesh.delete(instance)
                self.assert_gone(instance)

    def test_a_delete_survives_the_death_of_any_process(self):
        for victim in SERVICES + GUEST:
            with self.scenario(victim):
                instance = self.mesh.create()
                self.mesh.wait_status(instance)
                self.mesh.delete(instance)
                for process in self.mesh.processes(victim):
                    os.kill(process.pid, signal.SIGKILL)
                self.assert_gone(instance)

    def test_delete_is_accepted_in_every_state(self):
        for moment, come in MOMENTS.items():
            with self.scenario(f"BUILD {moment}"):
                instance = self.mesh.create()
                eventually(lambda: come(self.mesh), 60, moment)
                self.mesh.delete(instance)
                self.assert_gone(instance)
        with self.scenario("REBOOT"):
            instance = self.mesh.create()
            self.mesh.wait_status(instance)
            self.assertEqual(self.mesh.rest("POST", f"instances/{instance}/action", {"restart": {}}).status, 202)
            self.mesh.delete(instance)
            self.assert_gone(instance)
        with self.scenario("SHUTDOWN"):
            instance = self.mesh.create()
            self.mesh.delete(instance)
            again = self.mesh.rest("DELETE", f"instances/{instance}")
            self.assertIn(again.status, (202, 404), again.raw)
            self.assert_gone(instance)


class Launcher(unittest.TestCase):
    def setUp(self):
        self.mesh = Mesh()
        self.addCleanup(self.mesh.close)
        self.mesh.up()

    def active(self, mesh, name):
        instance = mesh.create(name)
        mesh.wait_status(instance)
        return instance, mesh.address(instance), mesh.process("mariadbd").pid

    def test_after_the_death_of_the_launcher_up_adopts_databases_and_finishes_creates(self):
        mesh = self.mesh
        done, address, server = self.active(mesh, "done")
        begun = mesh.create("begun")
        mesh.kill("trovectl")
        mesh.up()
        mesh.wait_status(begun, within=90)
        self.assertEqual(mesh.sql(begun, "SELECT 1").stdout, "1\n")
        self.assertEqual(mesh.sql(done, "SELECT 1").stdout, "1\n")
        self.assertIn(server, [p.pid for p in mesh.processes("mariadbd")], "the database was restarted")

    def test_after_the_death_of_the_whole_mesh_up_adopts_databases_and_finishes_creates(self):
        mesh = self.mesh
        done, address, server = self.active(mesh, "done")
        begun = mesh.create("begun")
        for name in ("trovectl", *SERVICES):
            for process in mesh.processes(name):
                os.kill(process.pid, signal.SIGKILL)
        self.assertEqual(mesh.sql(done, "SELECT 1", address=address).stdout, "1\n")
        mesh.up()
        mesh.wait_status(begun, within=90)
        self.assertEqual(mesh.sql(begun, "SELECT 1").stdout, "1\n")
        self.assertIn(server, [p.pid for p in mesh.processes("mariadbd")], "the database was restarted")

    def test_down_leaves_databases_running_and_up_adopts_them(self):
        mesh = self.mesh
        instance, address, server = self.active(mesh, "kept")
        for stop in ("down", "Ctrl-C"):
            with self.subTest(stop):
                if stop == "down":
                    mesh.down()
                else:
                    os.kill(mesh.process("trovectl").pid, signal.SIGINT)
                eventually(lambda: {p.name for p in mesh.processes()} == set(GUEST), 30, "only the guest runs")
                self.assertEqual(mesh.sql(instance, "SELECT 1", address=address).stdout, "1\n")
                mesh.up()
                mesh.wait_status(instance)
                self.assertEqual(mesh.sql(instance, "SELECT 1").stdout, "1\n")
                self.assertEqual([p.pid for p in mesh.processes("mariadbd")], [server])
        mesh.down("--instances")
        self.assertEqual((mesh.processes(), mesh.guest_traces()), ([], []))

    def test_two_meshes_live_side_by_side(self):
        other = Mesh()
        self.addCleanup(other.close)
        other.up()
        ours, our_address, _ = self.active(self.mesh, "ours")
        theirs, their_address, server = self.active(other, "theirs")
        self.assertNotEqual(our_address["port"], their_address["port"])
        self.assertIsNone(other.show(ours))
        self.assertEqual(other.request("GET", "/v1.0/admin/instances",
                                       headers={"X-Auth-Token": self.mesh.client["TROVE_TOKEN"]}).status, 401)
        self.mesh.down("--instances")
        self.assertEqual(other.sql(theirs, "SELECT 1").stdout, "1\n")
        self.assertEqual(other.process("mariadbd").pid, server)

    def test_a_second_launcher_and_a_taken_port_are_refused_by_name(self):
        mesh = self.mesh
        again = run(BIN / "trovectl", "up", "--data-dir", mesh.data, "--detach")
        self.assertNotEqual(again.returncode, 0)
        self.assertIn(str(mesh.data), again.stdout + again.stderr)
        taken = mesh.rest_address[1]
        other = Mesh()
        self.addCleanup(other.close)
        refused = run(BIN / "trovectl", "up", "--data-dir", other.data, "--rest-port", taken, "--grpc-port", 0,
                      "--detach")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(str(taken), refused.stdout + refused.stderr)
        self.assertEqual(other.processes(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
