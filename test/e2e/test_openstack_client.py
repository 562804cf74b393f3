"""The client that OpenStack's users have, unchanged: python-troveclient behind `openstack`."""

import json
import unittest

from mesh import MeshTest, run


class OpenstackClient(MeshTest):
    def openstack(self, *arguments):
        """Runs `openstack` with a token and no Keystone, as the README says. Returns its output."""
        mesh = self.mesh
        done = run("/usr/bin/openstack", *arguments, environment={
            "OS_AUTH_TYPE": "admin_token", "OS_TOKEN": mesh.client["TROVE_TOKEN"],
            "OS_ENDPOINT": f"{mesh.client['TROVE_REST_URL']}/v1.0/{mesh.project}"})
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def rows(self, *arguments):
        return json.loads(self.openstack(*arguments, "-f", "json"))

    def test_the_catalogue_is_listed(self):
        flavors = self.rows("database", "flavor", "list")
        self.assertEqual([(f["ID"], f["RAM"]) for f in flavors], [(1, 512), (2, 2048), (3, 4096), (4, 8192)])
        self.assertEqual([d["Name"] for d in self.rows("datastore", "list")], ["mariadb"])
        self.assertEqual([v["Name"] for v in self.rows("datastore", "version", "list", "mariadb")], ["10.11"])
        self.assertIn("max_instances", self.openstack("database", "limit", "list"))

    def test_an_instance_is_made_found_by_name_used_and_removed(self):
        mesh = self.mesh
        made = self.rows("database", "instance", "create", "orders", "--flavor", "db.tiny", "--size", "1",
                         "--datastore", "mariadb", "--datastore-version", "10.11",
                         "--databases", "shop", "--users", "app:s3cret-of-app")
        self.assertEqual((made["name"], made["status"], made["volume"]), ("orders", "BUILD", 1))
        mesh.wait_status(made["id"])
        shown = self.rows("database", "instance", "show", "orders")
        self.assertEqual((shown["id"], shown["status"]), (made["id"], "ACTIVE"))
        listed = self.rows("database", "instance", "list")
        self.assertEqual([(i["ID"], i["Datastore"], i["Flavor ID"]) for i in listed], [(made["id"], "mariadb", "1")])
        self.assertEqual(mesh.sql(made["id"], "SELECT 1").stdout, "1\n")
        self.openstack("database", "instance", "update", "orders", "--name", "renamed")
        self.openstack("database", "instance", "restart", "renamed")
        mesh.wait_status(made["id"])
        self.openstack("database", "instance", "delete", "renamed")
        mesh.wait_gone(made["id"])
        self.assertEqual(self.rows("database", "instance", "list"), [])
        self.assert_traceless()


if __name__ == "__main__":
    unittest.main(verbosity=2)
