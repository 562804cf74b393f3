"""The main job: ask for a MariaDB, use it, show it, restart it, rename it, delete it."""

import re
import unittest

from mesh import MeshTest, eventually, instance_pb2, operation_pb2

PASSWORD = "pa55-that-no-file-may-hold"


class MainJob(MeshTest):
    def test_a_database_is_made_used_restarted_renamed_and_removed(self):
        mesh = self.mesh
        instance = mesh.create("orders", password=PASSWORD)
        self.assertEqual(mesh.files_with(PASSWORD), [], "a password waits in clear")
        building = mesh.get(instance)
        shown = mesh.wait_status(instance)
        self.assertEqual(shown["operating_status"], "HEALTHY")
        self.assertEqual(shown["name"], "orders")
        self.assertRegex(shown["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$")
        self.assertEqual(shown["volume"]["size"], 1)
        self.assertEqual(shown["ip"], [shown["addresses"][0]["address"]])
        self.assertIn(str(shown["addresses"][0]["port"]), shown["connection_uri"])
        self.assertNotIn(PASSWORD, str(shown))

        with self.subTest("the user's connection"):
            table = "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1), (2)"
            self.assertEqual(mesh.sql(instance, table, PASSWORD).stderr, "")
            cipher = mesh.sql(instance, "SHOW STATUS LIKE 'Ssl_cipher'", PASSWORD).stdout.split("\t")[1]
            self.assertNotEqual(cipher.strip(), "", "not encrypted")
            plain = mesh.sql(instance, "SELECT COUNT(*) FROM t", PASSWORD, tls=False)
            self.assertEqual((plain.stdout, plain.stderr), ("2\n", ""))
            self.assertIn("Access denied", mesh.sql(instance, "SELECT 1", "wrong").stderr)
            databases = mesh.sql(instance, "SHOW DATABASES", PASSWORD).stdout.split()
            self.assertEqual(sorted(databases), ["information_schema", "shop"])

        with self.subTest("the same through gRPC"):
            got = mesh.get(instance)
            self.assertEqual(got.status, instance_pb2.Instance.STATUS_ACTIVE)
            self.assertEqual(got.addresses[0].port, shown["addresses"][0]["port"])
            listed = mesh.call("InstanceService/ListInstances", instance_pb2.ListInstancesRequest(page_size=5),
                               instance_pb2.ListInstancesResponse)
            self.assertEqual([i.id for i in listed.instances], [instance])
            seen = mesh.watch(building.operation_id)
            self.assertEqual(seen[-1].state, operation_pb2.Operation.STATE_SUCCEEDED)
            self.assertTrue(all(s.state == operation_pb2.Operation.Step.STATE_DONE for s in seen[-1].steps))

        with self.subTest("restart"):
            before = mesh.process("mariadbd").pid
            self.assertEqual(mesh.rest("POST", f"instances/{instance}/action", {"restart": {}}).status, 202)
            eventually(lambda: [p.pid for p in mesh.processes("mariadbd")] not in ([], [before]), 30,
                       "another mariadbd runs")
            mesh.wait_status(instance)
            self.assertEqual(mesh.sql(instance, "SELECT COUNT(*) FROM t", PASSWORD).stdout, "2\n")

        with self.subTest("rename"):
            for method, name in (("PUT", "renamed"), ("PATCH", "renamed again")):
                answer = mesh.rest(method, f"instances/{instance}", {"instance": {"name": name}})
                self.assertEqual((answer.status, answer.raw), (202, b""))
                self.assertEqual(mesh.show(instance)["name"], name)

        self.assertEqual(mesh.files_with(PASSWORD), [], "a password stayed in clear")
        mesh.delete(instance)
        mesh.wait_gone(instance)
        self.assertEqual(mesh.rest("GET", f"instances/{instance}").body["itemNotFound"]["code"], 404)
        self.assertEqual(mesh.rest("GET", "instances").body, {"instances": []})
        self.assert_traceless()
        self.assertEqual(mesh.files_with(PASSWORD), [])

    def test_lists_go_page_by_page(self):
        mesh = self.mesh
        made = sorted(mesh.create(f"page {n}") for n in range(3))
        for kind in ("instances", "instances/detail"):
            with self.subTest(kind):
                found, path = [], f"{kind}?limit=2"
                while path:
                    page = mesh.rest("GET", path).body
                    self.assertLessEqual(len(page["instances"]), 2)
                    found += [i["id"] for i in page["instances"]]
                    following = [link["href"] for link in page.get("links", ())]
                    path = following and re.sub(r"^https://[^/]+/v1.0/[^/]+/", "", following[0])
                self.assertEqual(sorted(found), made)
        self.assertEqual(mesh.rest("GET", f"instances?marker={made[-1]}").body, {"instances": []})
        for instance in made:
            mesh.wait_status(instance)
        for instance in made:
            mesh.delete(instance)
        for instance in made:
            mesh.wait_gone(instance)
        self.assert_traceless()


if __name__ == "__main__":
    unittest.main(verbosity=2)
