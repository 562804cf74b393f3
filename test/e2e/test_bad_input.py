"""What is refused: each row is one bad request and the fault that it gets. A fault names what to
change, no request is answered with a server's error, and nothing is left behind."""

import json
import unittest

from mesh import BIN, MeshTest, run

UUID = "b55ddc6f-d3b8-5c64-8524-aab206c04468"
JSON = {"Content-Type": "application/json"}


def instance(**change):
    """A create that is right but for the change; None leaves a field out."""
    fields = {"name": "bad", "flavorRef": 1, "volume": {"size": 1}, **change}
    return {"instance": {key: value for key, value in fields.items() if value is not None}}


def users(*them, databases=()):
    return instance(users=list(them), databases=[{"name": name} for name in databases])


# Of a create: name of the row, document, status, fault, and words of the message.
CREATES = [
    ("unknown datastore", instance(datastore={"type": "oracle"}), 404, "itemNotFound", "there are: mariadb"),
    ("unknown version", instance(datastore={"type": "mariadb", "version": "9"}), 400, "badRequest",
     "mariadb has no version 9; there are: 10.11"),
    ("unknown version number", instance(datastore={"type": "mariadb", "version_number": "9"}), 400, "badRequest",
     "mariadb has no default version with the number 9; there are: 10.11"),
    ("datastore of a wrong type", instance(datastore="mariadb"), 400, "badRequest", "instance['datastore']"),
    ("unknown flavor", instance(flavorRef=99), 400, "badRequest", "no flavor 99; there are: 1, 2, 3, 4"),
    ("no flavor", instance(flavorRef=None), 400, "badRequest", "'flavorRef' is a required property"),
    ("flavor of a wrong type", instance(flavorRef=[1]), 400, "badRequest", "instance['flavorRef']"),
    ("no volume", instance(volume=None), 400, "badRequest", "'volume' is a required property"),
    ("volume without size", instance(volume={}), 400, "badRequest", "'size' is a required property"),
    ("volume a list", instance(volume=[1]), 400, "badRequest", "is not of type 'object'"),
    ("volume 0", instance(volume={"size": 0}), 400, "badRequest", "minimum of 1"),
    ("volume negative", instance(volume={"size": -1}), 400, "badRequest", "minimum of 1"),
    ("volume a fraction", instance(volume={"size": 1.5}), 400, "badRequest", "not of type 'integer'"),
    ("volume words", instance(volume={"size": "big"}), 400, "badRequest", "not of type 'integer'"),
    ("volume empty text", instance(volume={"size": ""}), 400, "badRequest", "not of type 'integer'"),
    ("volume true", instance(volume={"size": True}), 400, "badRequest", "not of type 'integer'"),
    ("volume beyond 64 bits", instance(volume={"size": 10**30}), 400, "badRequest", "instance['volume']['size']"),
    ("volume over the maximum", instance(volume={"size": 11}), 413, "overLimit", "at most 10"),
    ("volume type", instance(volume={"size": 1, "type": "ssd"}), 501, "notImplemented", "instance['volume']['type']"),
    ("no name", instance(name=None), 400, "badRequest", "'name' is a required property"),
    ("name empty", instance(name=""), 400, "badRequest", "instance['name'] '' is too short"),
    ("name of 300 characters", instance(name="n" * 300), 400, "badRequest", "255 characters at most"),
    ("name without letters", instance(name="---"), 400, "badRequest", "must contain a letter or a digit"),
    ("name a number", instance(name=5), 400, "badRequest", "instance['name'] 5 is not of type 'string'"),
    ("no envelope", {}, 400, "badRequest", "'instance' is a required property"),
    ("another envelope", {"database": {}}, 400, "badRequest", "'instance' is a required property"),
    ("envelope null", {"instance": None}, 400, "badRequest", "null is not of type 'object'"),
    ("envelope a list", {"instance": []}, 400, "badRequest", "a list is not of type 'object'"),
    ("a list", [], 400, "badRequest", "must be a JSON object"),
    ("a string", "instance", 400, "badRequest", "must be a JSON object"),
    ("user without password", users({"name": "a"}), 400, "badRequest", "'password' is a required property"),
    ("user with an empty password", users({"name": "a", "password": ""}), 400, "badRequest", "users'][0]['password']"),
    ("user without name", users({"password": "x"}), 400, "badRequest", "'name' is a required property"),
    ("reserved user", users({"name": "root", "password": "x"}), 400, "badRequest", "reserved"),
    ("the same user twice", users({"name": "a", "password": "x"}, {"name": "a", "password": "y"}), 400,
     "badRequest", "comes twice"),
    ("user of a database that is not asked for",
     users({"name": "a", "password": "x", "databases": [{"name": "nope"}]}, databases=["shop"]), 400,
     "badRequest", "nope is not among the databases of this request"),
    ("user with a bad host", users({"name": "a", "password": "x", "host": "my-host"}), 400, "badRequest", "host"),
    ("users an object", instance(users={}), 400, "badRequest", "not of type 'array'"),
    ("reserved database", instance(databases=[{"name": "mysql"}]), 400, "badRequest", "reserved"),
    ("the same database twice", instance(databases=[{"name": "a"}, {"name": "a"}]), 400, "badRequest", "twice"),
    ("database with a slash", instance(databases=[{"name": "a/b"}]), 400, "badRequest", "character /"),
    ("database without name", instance(databases=[{}]), 400, "badRequest", "'name' is a required property"),
    ("two nics", instance(nics=[{"net-id": UUID}, {"net-id": UUID}]), 400, "badRequest", "1 item at most"),
    ("nic without network", instance(nics=[{}]), 400, "badRequest", "needs 'network_id'"),
    ("nic of a wrong network", instance(nics=[{"net-id": "x"}]), 400, "badRequest", "'x' is not a UUID"),
    ("nic with an unknown key", instance(nics=[{"port-id": UUID}]), 400, "badRequest", "'port-id' was unexpected"),
    ("nic with an address but no subnet", instance(nics=[{"net-id": UUID, "ip_address": "10.0.0.1"}]), 400,
     "badRequest", "needs 'subnet_id'"),
    ("access of a wrong type", instance(access={"is_public": "x"}), 400, "badRequest", "['is_public']"),
    ("access from no network", instance(access={"allowed_cidrs": ["::1"]}), 400, "badRequest", "10.0.0.0/8"),
    ("another region", instance(region_name="mars"), 400, "badRequest", "region"),
    ("replica", instance(replica_of=UUID), 501, "notImplemented", "instance['replica_of']"),
    ("replica count alone", instance(replica_count=2), 400, "badRequest", "'replica_of' is missing"),
    ("restore", instance(restorePoint={"backupRef": UUID}), 501, "notImplemented", "instance['restorePoint']"),
    ("configuration", instance(configuration=UUID), 404, "itemNotFound", UUID),
    ("modules", instance(modules=[{"id": UUID}]), 501, "notImplemented", "instance['modules']"),
    ("locality", instance(locality="affinity"), 501, "notImplemented", "instance['locality']"),
    ("zone", instance(availability_zone="z"), 501, "notImplemented", "instance['availability_zone']"),
]

# Of a create in bytes: name of the row, headers, body, status, fault, words.
BODIES = [
    ("not JSON", JSON, b'{"instance": ', 400, "badRequest", "not JSON"),
    ("not UTF-8", JSON, b'{"instance": {"name": "\xff"}}', 400, "badRequest", "not UTF-8"),
    ("a key twice", JSON, b'{"instance": {"name": "a", "name": "b"}}', 400, "badRequest", "'name' twice"),
    ("no body", JSON, b"", 400, "badRequest", "needs a JSON body"),
    ("no content type", {}, b'{"instance": {}}', 400, "badRequest", "Content-Type: application/json"),
    ("text", {"Content-Type": "text/plain"}, b'{"instance": {}}', 415, "badMediaType", "application/json"),
    ("XML", {"Content-Type": "application/xml"}, b"<instance/>", 415, "badMediaType", "application/json"),
    ("33 levels", JSON, b"[" * 33 + b"]" * 33, 400, "badRequest", "32"),
    ("a hundred thousand levels", JSON, b"[" * 100_000, 400, "badRequest", "32"),
    ("32 levels of something else", JSON, b'{"a":' * 32 + b"1" + b"}" * 32, 400, "badRequest", "'instance'"),
    ("over 1 MiB", JSON, b'{"instance": {"name": "' + b"n" * (1 << 20) + b'"}}', 413, "overLimit", "1048576 bytes"),
]

# Of anything else: method, path below the project, document, status, fault, words.
OTHERS = [
    ("GET", "nonsense", None, 404, "itemNotFound", "There is no GET"),
    ("GET", "backups", None, 404, "itemNotFound", "There is no GET"),
    ("PUT", "instances", {}, 404, "itemNotFound", "There is no PUT"),
    ("DELETE", "instances", None, 404, "itemNotFound", "There is no DELETE"),
    ("POST", f"instances/{UUID}", {}, 404, "itemNotFound", "There is no POST"),
    ("GET", f"instances/{UUID}", None, 404, "itemNotFound", UUID),
    ("GET", "instances/not-an-id", None, 404, "itemNotFound", "not-an-id"),
    ("GET", "instances/%2e%2e%2fsecrets", None, 404, "itemNotFound", "cannot be found"),
    ("DELETE", f"instances/{UUID}", None, 404, "itemNotFound", UUID),
    ("PUT", f"instances/{UUID}", {"instance": {"name": "x"}}, 404, "itemNotFound", UUID),
    ("POST", f"instances/{UUID}/action", {"restart": {}}, 404, "itemNotFound", UUID),
    ("GET", "flavors/99", None, 404, "itemNotFound", "flavor 99"),
    ("GET", "datastores/oracle", None, 404, "itemNotFound", "oracle"),
    ("GET", "datastores/mariadb/versions/9", None, 400, "badRequest", "version 9"),
    ("GET", f"operations/{UUID}", None, 404, "itemNotFound", UUID),
    ("GET", f"operations/{UUID}/watch", None, 404, "itemNotFound", UUID),
    ("GET", "operations/not-an-id", None, 404, "itemNotFound", "not-an-id"),
    ("GET", "operations?limit=abc", None, 400, "badRequest", "limit 'abc'"),
    ("POST", f"operations/{UUID}/action", {"cancel": {}}, 404, "itemNotFound", UUID),
    ("POST", f"operations/{UUID}/action", {"retry": {}}, 404, "itemNotFound", UUID),
    ("POST", f"operations/{UUID}/action", {"dance": {}}, 400, "badRequest", "unknown action 'dance'"),
    ("POST", f"operations/{UUID}/action", {"cancel": []}, 400, "badRequest", "not of type 'object'"),
    ("GET", "events?after=-1", None, 400, "badRequest", "minimum of 0"),
    ("GET", "events?after=soon", None, 400, "badRequest", "after 'soon'"),
    ("GET", "events/watch?after=-1", None, 400, "badRequest", "minimum of 0"),
    ("GET", f"configurations/{UUID}", None, 404, "itemNotFound", UUID),
    ("DELETE", f"configurations/{UUID}", None, 404, "itemNotFound", UUID),
    ("POST", "configurations", {}, 400, "badRequest", "'configuration' is a required property"),
    ("POST", "configurations", {"configuration": {"name": "c", "values": {"dance": 1}}}, 422,
     "unprocessableEntity", "dance"),
    ("POST", f"mgmt/instances/{UUID}/action", {"stop": {}}, 404, "itemNotFound", UUID),
    ("POST", f"mgmt/instances/{UUID}/action", {"dance": {}}, 400, "badRequest", "unknown action 'dance'"),
    ("GET", "instances?limit=abc", None, 400, "badRequest", "limit 'abc'"),
    ("GET", "instances?limit=0", None, 400, "badRequest", "minimum of 1"),
    ("GET", "instances/detail?limit=-1", None, 400, "badRequest", "minimum of 1"),
]

# Of an instance that is there: method, tail of the path, document, status, fault, words.
CHANGES = [
    ("POST", "/action", {}, 400, "badRequest", "no action; give one of: restart"),
    ("POST", "/action", {"dance": {}}, 400, "badRequest", "unknown action 'dance'; give one of: restart"),
    ("POST", "/action", {"restart": {}, "resize": {"flavorRef": 2}}, 400, "badRequest", "more than one action"),
    ("POST", "/action", {"restart": []}, 400, "badRequest", "not of type 'object'"),
    ("POST", "/action", {"restart": None}, 400, "badRequest", "not of type 'object'"),
    ("POST", "/action", None, 400, "badRequest", "needs a JSON body"),
    ("POST", "/action", {"resize": {}}, 400, "badRequest", "resize"),
    ("POST", "/action", {"resize": {"flavorRef": 99}}, 400, "badRequest", "flavor 99"),
    ("POST", "/action", {"resize": {"volume": {"size": 0}}}, 400, "badRequest", "minimum of 1"),
    ("POST", "/action", {"resize": {"volume": {"size": 1}}}, 400, "badRequest", "larger"),
    ("POST", "/action", {"resize": {"volume": {"size": 11}}}, 413, "overLimit", "at most 10"),
    ("PUT", "", {}, 400, "badRequest", "'instance' is a required property"),
    ("PUT", "", {"instance": {"name": ""}}, 400, "badRequest", "too short"),
    ("PUT", "", {"instance": {"name": None}}, 400, "badRequest", "not of type 'string'"),
    ("PUT", "", {"instance": {"nonsense": 1}}, 400, "badRequest", "'nonsense' was unexpected"),
    ("PUT", "", {"instance": {"slave_of": ""}}, 400, "badRequest", "'slave_of' was unexpected"),
    ("PUT", "", {"instance": {"replica_of": None}}, 400, "badRequest", "not a replica"),
    ("PUT", "", {"instance": {"configuration": UUID}}, 404, "itemNotFound", UUID),
    ("PUT", "", {"instance": {"datastore_version": "10.11"}}, 400, "badRequest", "already"),
    ("PUT", "", {"instance": {"access": {"is_public": True}}}, 501, "notImplemented", "['access']"),
    ("PUT", "", {"instance": {"name": "x", "configuration": None, "access": {}}}, 400, "badRequest", "one change"),
    ("PATCH", "", {"instance": {"access": {"is_public": True}}}, 400, "badRequest", "'access' was unexpected"),
    ("PATCH", "", {"instance": {"name": "n" * 300}}, 400, "badRequest", "255 characters"),
]


class BadInput(MeshTest):
    def check(self, answer, status, fault, words):
        """The contract's fault: one key with code and message."""
        self.assertEqual(answer.status, status, answer.raw)
        self.assertEqual(list(answer.body), [fault])
        self.assertEqual(set(answer.body[fault]), {"code", "message"})
        self.assertEqual(answer.body[fault]["code"], status)
        self.assertIn(words, answer.body[fault]["message"])
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        self.assertRegex(answer.headers["X-Openstack-Request-Id"], r"^req-[0-9a-f-]{36}$")

    def assert_nothing_was_made(self):
        self.assertEqual(self.mesh.rest("GET", "instances").body, {"instances": []})
        self.assert_traceless()  # the template of a version may be in the making

    def test_a_create_that_is_wrong_is_refused_and_leaves_nothing(self):
        for name, document, *expected in CREATES:
            with self.subTest(name):
                self.check(self.mesh.rest("POST", "instances", document), *expected)
        path = f"/v1.0/{self.mesh.project}/instances"
        for name, headers, body, *expected in BODIES:
            with self.subTest(name):
                headers = {"X-Auth-Token": self.mesh.client["TROVE_TOKEN"], **headers}
                self.check(self.mesh.request("POST", path, body, headers), *expected)
        self.assert_nothing_was_made()

    def test_other_requests_that_are_wrong_are_refused(self):
        for method, path, document, *expected in OTHERS:
            with self.subTest(f"{method} {path}"):
                self.check(self.mesh.rest(method, path, document), *expected)
        self.assert_nothing_was_made()

    def test_who_may_not_is_told_so(self):
        mesh = self.mesh
        ours = mesh.client["TROVE_TOKEN"]
        path = f"/v1.0/{mesh.project}/instances"
        for name, method, where, headers, *expected in [
                ("no token", "GET", path, {}, 401, "unauthorized", "X-Auth-Token"),
                ("no token, no route", "GET", "/v1.0/x/nonsense", {}, 401, "unauthorized", "X-Auth-Token"),
                ("wrong token", "GET", path, {"X-Auth-Token": "nonsense"}, 401, "unauthorized", "unknown"),
                ("wrong bearer", "GET", path, {"Authorization": "Bearer x"}, 401, "unauthorized", "unknown"),
                ("other project", "GET", "/v1.0/other/instances", {"X-Auth-Token": ours}, 403, "forbidden", "other"),
                ("no resource", "GET", "/v1.0/other", {"X-Auth-Token": ours}, 403, "forbidden", "/v1.0/{project}"),
                ("no project", "GET", "/v1.0/", {"X-Auth-Token": ours}, 403, "forbidden", "/v1.0/{project}")]:
            with self.subTest(name):
                answer = mesh.request(method, where, headers=headers)
                self.check(answer, *expected)
                if answer.status == 401:
                    self.assertRegex(answer.headers["WWW-Authenticate"], r"^Keystone uri=")

    def test_what_belongs_to_others_cannot_be_seen_or_touched(self):
        mesh = self.mesh
        made = run(BIN / "trovectl", "token", "create", "--project", "other", "--role", "member", "-o", "json",
                   environment=mesh.client)
        self.assertEqual(made.returncode, 0, made.stderr)
        stranger = {"X-Auth-Token": json.loads(made.stdout)["token"], **JSON}
        reader = run(BIN / "trovectl", "token", "create", "--project", mesh.project, "--role", "reader",
                     "-o", "json", environment=mesh.client)
        reads = json.loads(reader.stdout)["token"]
        instance_id = mesh.create("ours")
        mesh.wait_status(instance_id)
        restart = json.dumps({"restart": {}}).encode()
        rename = json.dumps({"instance": {"name": "theirs"}}).encode()
        for method, tail, body in [("GET", "", None), ("DELETE", "", None), ("PUT", "", rename),
                                   ("POST", "/action", restart)]:
            with self.subTest(f"a stranger's {method}"):
                answer = mesh.request(method, f"/v1.0/other/instances/{instance_id}{tail}", body, stranger)
                self.check(answer, 404, "itemNotFound", instance_id)
            if method != "GET":
                with self.subTest(f"a reader's {method}"):
                    answer = mesh.rest(method, f"instances/{instance_id}{tail}", body and json.loads(body), reads)
                    self.check(answer, 403, "forbidden", "it takes the role member")
        listed = mesh.request("GET", "/v1.0/other/instances", headers=stranger)
        self.assertEqual(listed.body, {"instances": []})
        self.assertEqual(mesh.show(instance_id)["name"], "ours")

        for method, tail, document, *expected in CHANGES:
            with self.subTest(f"{method} {tail} {json.dumps(document)[:60]}"):
                self.check(mesh.rest(method, f"instances/{instance_id}{tail}", document), *expected)
        self.assertEqual((mesh.show(instance_id)["name"], mesh.show(instance_id)["status"]), ("ours", "ACTIVE"))
        mesh.delete(instance_id)
        mesh.wait_gone(instance_id)
        self.assert_traceless()

    def test_a_state_that_does_not_allow_it_refuses(self):
        mesh = self.mesh
        instance_id = mesh.create("busy")
        self.check(mesh.rest("POST", f"instances/{instance_id}/action", {"restart": {}}), 422,
                   "unprocessableEntity", "BUILD")
        mesh.wait_status(instance_id)
        mesh.delete(instance_id)
        mesh.wait_gone(instance_id)

    def test_over_quota_is_refused_and_refusals_use_none_of_it(self):
        mesh = self.mesh
        made = []
        try:
            # Ten instances and 40 GiB are the default: four of 10 GiB each use up the volumes.
            for n in range(4):
                made.append(mesh.create(f"large {n}", volume={"size": 10}))
            for _ in range(2):
                self.check(mesh.rest("POST", "instances", instance()), 413, "overLimit", "volumes")
            mesh.delete(made[0])
            mesh.wait_gone(made.pop(0))
            made.append(mesh.create("fits again"))
        finally:
            for each in made:
                mesh.delete(each)
            for each in made:
                mesh.wait_gone(each)
        self.assert_traceless()

    def test_a_command_that_is_wrong_is_refused(self):
        for words, told in [
                ("nonsense", "no command nonsense"),
                ("instance nonsense", "no command nonsense"),
                ("instance list -o yaml", "must be table or json, not yaml"),
                ("instance create x --size 1", "--flavor is required"),
                ("instance create x --size 0 --flavor 1", "at least 1 (GiB)"),
                ("instance create x --size 1 --flavor 9", "there are: 1, 2, 3, 4"),
                ("instance show nope", "no instance nope"),
                ("token create --project p --role king", "admin, member or reader"),
                ("rpc trove.v1.InstanceService/Nope", "it has: GetInstance"),
                ("down --data-dir /nonexistent", "/nonexistent")]:
            with self.subTest(words):
                done = run(BIN / "trovectl", *words.split(), environment=self.mesh.client)
                self.assertIn(told, done.stdout + done.stderr)
                if not words.startswith("down"):  # nothing to stop is no failure
                    self.assertNotEqual(done.returncode, 0)
        self.assert_nothing_was_made()


if __name__ == "__main__":
    unittest.main(verbosity=2)
