"""Operations as tenants meet them: every change of an instance by REST, the OpenStack client and
trovectl; plans, repeated requests, cancel, retry, watching, events and the audit."""

import contextlib
import http.client
import json
import unittest

import faults
from faults import FaultMesh, begin, eventually
from mesh import run


class Operations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mesh = FaultMesh()
        cls.addClassCleanup(cls.mesh.close)
        cls.mesh.up()
        cls.mesh.config_group = cls.mesh.group(dynamic="7")

    def setUp(self):
        self.addCleanup(self.remove_all)

    def remove_all(self):
        self.mesh.forget_plan()
        for row in self.mesh.rows("SELECT id FROM instances"):
            faults.clean(self.mesh, row["id"])

    # ---- how it is asked

    def rest(self, method, path, document=None, key=None, headers=None):
        """A request below the project, perhaps with an Idempotency-Key. None: nobody answered."""
        mesh = self.mesh
        sent = {"X-Auth-Token": mesh.client["TROVE_TOKEN"], "Content-Type": "application/json",
                **({"Idempotency-Key": key} if key else {}), **(headers or {})}
        with contextlib.suppress(ConnectionError, http.client.HTTPException):
            return mesh.request(method, f"/v1.0/{mesh.project}/{path}",
                                json.dumps(document).encode() if document is not None else None, sent)
        return None

    def create_document(self, name="orders"):
        return {"instance": {"name": name, "flavorRef": 1, "volume": {"size": 1},
                             "datastore": {"type": "sample", "version": "1"}}}

    def newest(self, instance):
        """The operation that was accepted last for it."""
        return self.mesh.rows("SELECT id, kind FROM operations WHERE instance_id = ? "
                              "ORDER BY rowid DESC LIMIT 1", instance)[0]

    def done(self, answer, instance, kind, wanted="SUCCEEDED"):
        """The request was accepted, and what it began ends so."""
        self.assertIsNotNone(answer)
        self.assertEqual(answer.status, 202, answer.raw)
        newest = self.newest(instance)
        self.assertEqual(newest["kind"], f"instance.{kind}")
        self.assertEqual(self.mesh.wait_ended(newest["id"]), wanted)
        return newest["id"]

    def shown(self, instance):
        return self.mesh.show(instance)

    def counted(self, table):
        return self.mesh.rows(f"SELECT count(*) AS n FROM {table}")[0]["n"]

    # ---- every change

    def test_every_change_of_an_instance_by_rest(self):
        mesh = self.mesh
        instance = mesh.make_ready(name="orders")
        action, admin = f"instances/{instance}/action", f"mgmt/instances/{instance}/action"
        self.done(self.rest("POST", action, {"restart": {}}), instance, "restart")
        self.done(self.rest("POST", action, {"resize": {"flavorRef": "2"}}), instance, "resize")
        self.assertEqual(self.shown(instance)["flavor"]["id"], "2")
        self.done(self.rest("POST", action, {"resize": {"volume": {"size": 3}}}), instance, "grow")
        self.assertEqual(self.shown(instance)["volume"]["size"], 3)
        group = {"instance": {"configuration": mesh.config_group}}
        self.done(self.rest("PATCH", f"instances/{instance}", group), instance, "attach")
        self.assertEqual(self.shown(instance)["configuration"]["id"], mesh.config_group)
        self.done(self.rest("PUT", f"instances/{instance}", {"instance": {"configuration": None}}), instance,
                  "detach")
        self.done(self.rest("PATCH", f"instances/{instance}", {"instance": {"datastore_version": "2"}}),
                  instance, "upgrade")
        self.assertEqual(self.shown(instance)["datastore"]["version"], "2")
        self.done(self.rest("POST", admin, {"stop": {}}), instance, "stop")
        self.assertEqual(self.shown(instance)["operating_status"], "SHUTDOWN")
        self.done(self.rest("POST", admin, {"start": {}}), instance, "start")
        self.done(self.rest("POST", admin, {"rebuild": {}}), instance, "rebuild")
        self.assertEqual(self.shown(instance)["status"], "ACTIVE")
        audited = {row["action"] for row in mesh.rows("SELECT action FROM audit WHERE resource LIKE ?",
                                                      f"%{instance}")}
        self.assertGreaterEqual(audited, {"RestartInstance", "ResizeInstance", "GrowVolume", "AttachConfiguration",
                                          "DetachConfiguration", "UpgradeInstance", "StopInstance",
                                          "StartInstance", "RebuildInstance"})
        answer = self.rest("GET", "mgmt/audit")
        self.assertEqual(answer.status, 200, answer.raw)

    def test_a_mariadb_keeps_its_data_through_every_change(self):
        mesh = self.mesh
        instance = mesh.create("orders", datastore={"type": "mariadb", "version": "10.11"})
        mesh.wait_status(instance)
        mesh.sql(instance, "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
        for kind in ("restart", "resize", "grow", "stop", "start", "rebuild"):
            with self.subTest(kind):
                self.assertEqual(mesh.wait_ended(begin(mesh, kind, instance), 90), "SUCCEEDED")
        answer = mesh.sql(instance, "SELECT COUNT(*) FROM t")
        self.assertEqual((answer.stdout, answer.stderr), ("2\n", ""))

    # ---- plans and repeated requests

    def test_a_plan_says_what_would_be_done_and_changes_nothing(self):
        mesh = self.mesh
        instance = mesh.make_ready()
        before = {table: self.counted(table) for table in ("operations", "instances", "events", "requests")}
        quota = mesh.rows("SELECT * FROM quota_usages ORDER BY resource")
        for method, path, document, kind in (
                ("POST", "instances", self.create_document(), "create"),
                ("POST", f"instances/{instance}/action", {"resize": {"flavorRef": "2"}}, "resize"),
                ("PATCH", f"instances/{instance}", {"instance": {"datastore_version": "2"}}, "upgrade"),
                ("DELETE", f"instances/{instance}", None, "delete")):
            with self.subTest(kind):
                answer = self.rest(method, f"{path}?validate_only=true", document, key=f"plan-{kind}")
                self.assertEqual(answer.status, 200, answer.raw)
                plan = answer.body["plan"]
                self.assertEqual(plan["kind"], f"instance.{kind}")
                steps = [row["name"] for row in plan["steps"]]
                self.assertEqual(len(steps), len(set(steps)))
                self.assertTrue(plan["quota"] or kind == "upgrade", plan)
        self.assertEqual({table: self.counted(table) for table in before}, before)
        self.assertEqual(mesh.rows("SELECT * FROM quota_usages ORDER BY resource"), quota)

    def test_the_same_key_does_it_once(self):
        first = self.rest("POST", "instances", self.create_document(), key="once")
        again = self.rest("POST", "instances", self.create_document(), key="once")
        self.assertEqual((first.status, first.raw), (again.status, again.raw))
        self.assertEqual(self.counted("instances"), 1)
        other = self.rest("POST", "instances", self.create_document("another"), key="once")
        self.assertEqual(other.status, 409, other.raw)
        self.mesh.wait_ended(self.newest(first.body["instance"]["id"])["id"])

    def test_the_same_key_does_it_once_when_the_api_dies_before_it_answers(self):
        mesh = self.mesh
        for index in range(2):  # before the commit, and between it and the answer
            with self.subTest(index):
                run_ = mesh.plan("kill", index, folder=mesh.api_faults)
                document, key = self.create_document(f"key {index}"), f"killed-{index}"
                first = self.rest("POST", "instances", document, key=key)
                self.assertIsNotNone(mesh.fired(run_), "the api was not killed")
                self.assertNotEqual(first and first.status, 200)
                answer = []
                def answered():
                    answer[:] = [self.rest("POST", "instances", document, key=key)]
                    return answer[0] is not None and answer[0].status != 503
                eventually(answered, 30, "it is answered")
                self.assertEqual(answer[0].status, 200, answer[0].raw)
                found = mesh.rows("SELECT id FROM instances WHERE name = ?", f"key {index}")
                self.assertEqual([row["id"] for row in found], [answer[0].body["instance"]["id"]])
                self.assertEqual(mesh.wait_ended(self.newest(found[0]["id"])["id"]), "SUCCEEDED")

    # ---- cancel and retry

    def test_a_cancelled_create_leaves_nothing(self):
        mesh = self.mesh
        counting = mesh.plan("count")
        faults.clean(mesh, mesh.make_ready())
        calls = [b.index for b in mesh.boundaries(counting) if b.label in ("after EnsureVolume", "after Ensure")]
        for index in calls[:2]:
            with self.subTest(index):
                run_ = mesh.plan("stop", index)
                instance, operation = mesh.make()
                eventually(lambda: mesh.fired(run_), 30, "it stops")
                if mesh.store_is_held():
                    mesh.kill_service("trove-taskmanager", faults.signal.SIGCONT)
                answer = self.rest("POST", f"operations/{operation}/action", {"cancel": {}})
                self.assertEqual(answer.status, 202, answer.raw)
                mesh.kill_service("trove-taskmanager", faults.signal.SIGCONT)
                self.assertEqual(mesh.wait_ended(operation), "CANCELLED")
                self.assertEqual(mesh.processes("trove-agent-sample"), [])
                eventually(lambda: not mesh.claims(), 20, "its claims are given back")
                self.assertEqual(list((mesh.data / "volumes").glob("*")), [])
                faults.clean(mesh, instance)
                self.assertEqual({row["in_use"] for row in mesh.rows("SELECT in_use FROM quota_usages")}, {0})

    def test_a_create_that_failed_is_retried(self):
        mesh = self.mesh
        mesh.plan("fail", "EnsureVolume", 1000)
        instance, operation = mesh.make()
        self.assertEqual(mesh.wait_ended(operation, 90), "FAILED")
        shown = mesh.show(instance)
        self.assertEqual(shown["status"], "ERROR")
        self.assertIn("told to fail", shown["fault"]["message"])
        mesh.forget_plan()
        answer = self.rest("POST", f"operations/{operation}/action", {"retry": {}})
        self.assertEqual(answer.status, 202, answer.raw)
        self.assertEqual(mesh.wait_ended(operation), "SUCCEEDED")
        self.assertEqual(mesh.show(instance)["status"], "ACTIVE")
        self.assertEqual(self.rest("POST", f"operations/{operation}/action", {"retry": {}}).status, 409)

    # ---- what is seen of it

    def stream(self, path, want, last=None):
        """The first `want` server-sent events, as (id, data)."""
        mesh = self.mesh
        connection = http.client.HTTPConnection(*mesh.rest_address, timeout=20)
        headers = {"X-Auth-Token": mesh.client["TROVE_TOKEN"], **({"Last-Event-ID": last} if last else {})}
        try:
            connection.request("GET", f"/v1.0/{mesh.project}/{path}", headers=headers)
            response = connection.getresponse()
            self.assertEqual(response.status, 200)
            self.assertTrue(response.headers["Content-Type"].startswith("text/event-stream"))
            events, current = [], {}
            while len(events) < want and (line := response.readline()):
                text = line.decode().rstrip("\r\n")
                if not text and "data" in current:
                    events.append((current.get("id"), json.loads(current["data"])))
                    current = {}
                elif ": " in text:
                    name, value = text.split(": ", 1)
                    current[name] = value
            return events
        finally:
            connection.close()

    def test_events_are_watched_and_resumed_where_one_stopped(self):
        mesh = self.mesh
        instance = mesh.make_ready()
        path = f"events/watch?after=0&subject=instances/{instance}"
        seen = self.stream(path, 3)
        self.assertEqual(len(seen), 3)
        self.assertEqual([int(each) for each, _ in seen], sorted(int(each) for each, _ in seen))
        resumed = self.stream(path, 1, last=seen[1][0])
        self.assertEqual(resumed[0][0], seen[2][0])
        self.assertEqual(resumed[0][1], seen[2][1])
        self.assertEqual(seen[0][1]["specversion"], "1.0")

    def test_an_operation_is_watched_until_it_has_ended(self):
        mesh = self.mesh
        instance = mesh.make_ready()
        operation = begin(mesh, "restart", instance)
        states = [data["operation"]["state"] for _, data in self.stream(f"operations/{operation}/watch", 100)]
        self.assertEqual(states[-1], "SUCCEEDED")
        listed = self.rest("GET", "operations").body["operations"]
        self.assertEqual(listed[0]["id"], operation)

    # ---- the other clients

    def trovectl(self, *words):
        mesh = self.mesh
        done = run(mesh.programs / "trovectl", *words, environment=mesh.client, within=60)
        self.assertEqual(done.returncode, 0, f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def test_the_same_by_trovectl(self):
        mesh = self.mesh
        instance = mesh.make_ready(name="orders")
        plan = self.trovectl("instance", "resize", "orders", "--flavor", "2", "--plan")
        self.assertIn("configure", plan)
        self.assertEqual(self.newest(instance)["kind"], "instance.create")
        for words, kind in ((("resize", "orders", "--flavor", "2"), "resize"), (("stop", "orders"), "stop"),
                            (("start", "orders"), "start"), (("restart", "orders"), "restart")):
            with self.subTest(kind):
                self.trovectl("instance", *words, "--watch")
                self.assertEqual(self.newest(instance)["kind"], f"instance.{kind}")
        operation = self.newest(instance)["id"]
        self.assertIn("SUCCEEDED", self.trovectl("operation", "show", operation))
        self.assertIn(operation, self.trovectl("operation", "list"))
        self.assertIn("RestartInstance", self.trovectl("audit", "list"))
        self.assertTrue(self.trovectl("instance", "events", "orders"))

    def openstack(self, *words):
        mesh = self.mesh
        done = run("/usr/bin/openstack", "database", "instance", *words, within=60, environment={
            "OS_AUTH_TYPE": "admin_token", "OS_TOKEN": mesh.client["TROVE_TOKEN"],
            "OS_ENDPOINT": f"{mesh.client['TROVE_REST_URL']}/v1.0/{mesh.project}"})
        self.assertEqual(done.returncode, 0, f"{words}: {done.stdout}{done.stderr}")

    def test_the_same_by_the_openstack_client(self):
        mesh = self.mesh
        instance = mesh.make_ready(name="orders")
        for words, kind in ((("resize", "flavor", "orders", "2"), "resize"),
                            (("resize", "volume", "orders", "2"), "grow"),
                            (("upgrade", "orders", "2"), "upgrade")):
            with self.subTest(kind):
                self.openstack(*words)
                newest = self.newest(instance)
                self.assertEqual(newest["kind"], f"instance.{kind}")
                self.assertEqual(mesh.wait_ended(newest["id"]), "SUCCEEDED")


if __name__ == "__main__":

    unittest.main(verbosity=2)
