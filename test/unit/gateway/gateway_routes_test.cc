// The routes that came with operations: actions, changes, configuration groups, plans, keys.

#include <string>
#include <vector>

#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include "test/unit/gateway/rest_fixture.h"

namespace trove::gateway {
namespace {

constexpr char kUuid[] = "0f2c8a1e-5b1d-4c39-8a41-0b6d0d0c1a11";

std::string Configuration(const std::string& fields) {
  return R"({"configuration": {"name": "tuned", )" + fields + "}}";
}

v1::Operation FailedOperation() {
  v1::Operation operation;
  operation.set_id("op");
  operation.set_project_id("p");
  operation.set_kind("instance.create");
  operation.set_resource("instances/i");
  operation.set_state(v1::Operation::STATE_FAILED);
  operation.set_error("no room");
  operation.set_version(4);
  operation.mutable_created_at()->set_seconds(1767603600);
  v1::Operation::Step* step = operation.add_steps();
  step->set_name("volume");
  step->set_title("makes the volume");
  step->set_state(v1::Operation::Step::STATE_FAILED);
  step->set_attempts(3);
  return operation;
}

}  // namespace

TEST_CASE("actions and changes reach the api", "[unit][gateway]") {
  Rest rest;
  const std::string id = rest.Create("ready");
  const std::string instance = " /v1.0/p/instances/" + id;
  const std::string action = "POST" + instance + "/action";
  const std::string management = "POST /v1.0/p/mgmt/instances/" + id + "/action";
  const std::string begin = " id: \"" + id + "\"";
  struct Row {
    std::string token;
    std::string line;
    std::string body;
    std::string change;
  };
  for (const Row& row : std::vector<Row>{
           {"member", action, R"({"restart": {}})", "RestartInstance" + begin},
           {"member",
            action,
            R"({"resize": {"volume": {"size": "5"}}})",
            "GrowVolume" + begin + " size_gib: 5"},
           {"member",
            action,
            R"({"resize": {"flavorRef": 3}})",
            "ResizeInstance" + begin + " flavor_id: \"3\""},
           {"member",
            action,
            R"({"resize": {"flavorRef": "https://h/v1.0/p/flavors/3"}})",
            "ResizeInstance" + begin + " flavor_id: \"3\""},
           // The volume wins.
           {"member",
            action,
            R"({"resize": {"flavorRef": 3, "volume": {"size": 6}}})",
            "GrowVolume" + begin + " size_gib: 6"},
           {"admin", management, R"({"stop": {}})", "StopInstance" + begin},
           {"admin", management, R"({"start": {}})", "StartInstance" + begin},
           {"admin", management, R"({"reboot": {}})", "RestartInstance" + begin},
           {"admin", management, R"({"rebuild": {}})", "RebuildInstance" + begin},
           {"admin",
            management,
            R"({"rebuild": {"image_id": ")" + std::string(kUuid) + R"("}})",
            "RebuildInstance" + begin},
           {"member",
            "PUT" + instance,
            R"({"instance": {"configuration": ")" + std::string(kUuid) + R"("}})",
            "AttachConfiguration" + begin + " configuration_id: \"" + kUuid + "\""},
           {"member",
            "PUT" + instance,
            R"({"instance": {"configuration": null}})",
            "DetachConfiguration" + begin},
           {"member", "PUT" + instance, R"({"instance": {}})", "DetachConfiguration" + begin},
           {"member", "PATCH" + instance, R"({"instance": {}})", "DetachConfiguration" + begin},
           {"member",
            "PATCH" + instance,
            R"({"instance": {"datastore_version": "11.4"}})",
            "UpgradeInstance" + begin + " datastore_version: \"11.4\""},
       }) {
    CAPTURE(row.line, row.body);
    const RawResponse response = rest.As(row.token, row.line, row.body);
    CAPTURE(response.body);
    CHECK(response.status == 202);
    CHECK(response.body.empty());
    CHECK(response.Header("Content-Length") == "0");
    CHECK(rest.api().last_change() == row.change);
  }
}

TEST_CASE("a new name with one other field does both, the other first", "[unit][gateway]") {
  Rest rest;
  const std::string line = "PUT /v1.0/p/instances/" + rest.Create("ready");
  CHECK(rest(line, R"({"instance": {"name": "new", "datastore_version": "11.4"}})").status == 202);
  const std::vector<std::string> changes = rest.api().changes();
  REQUIRE(changes.size() == 3);
  CHECK(changes[1].rfind("UpgradeInstance", 0) == 0);
  CHECK(changes[2].rfind("UpdateInstance", 0) == 0);

  // What is refused leaves the name as it was.
  CHECK(rest(line, R"({"instance": {"name": "newer", "datastore_version": "9"}})").status == 400);
  CHECK(rest.api().last_change().rfind("UpgradeInstance", 0) == 0);

  // Two requests for the api, so two keys for it, and the same ones again.
  for (int i = 0; i < 2; ++i) {
    CHECK(rest.With("Idempotency-Key: k",
                    line,
                    R"({"instance": {"name": "newest", "datastore_version": "11.4"}})")
              .status == 202);
  }
  const std::vector<std::string> keyed = rest.api().changes();
  REQUIRE(keyed.size() == 8);
  CHECK(keyed[4].find(R"(request_id: "k")") != std::string::npos);
  CHECK(keyed[5].find("request_id: ") != std::string::npos);
  CHECK(keyed[5].find(R"(request_id: "k")") == std::string::npos);
  CHECK(keyed[6] == keyed[4]);
  CHECK(keyed[7] == keyed[5]);
}

TEST_CASE("management is for admins and 401 for others, whatever is asked", "[unit][gateway]") {
  Rest rest;
  const std::string id = rest.Create("ready");
  for (const std::string& line : {"POST /v1.0/p/mgmt/instances/" + id + "/action",
                                  std::string("POST /v1.0/p/mgmt/instances/nope/action")}) {
    CAPTURE(line);
    for (const std::string body :
         {R"({"stop": {}})", R"({"start": {}})", R"({"reboot": {}})", R"({"rebuild": {}})"}) {
      CAPTURE(body);
      const RawResponse refused = rest(line, body);
      CHECK(refused.status == 401);
      CHECK(KeysOf(json::parse(refused.body)) == std::vector<std::string>{"unauthorized"});
    }
  }
  CHECK(rest("GET /v1.0/p/mgmt/audit").status == 401);
  CHECK(rest.As("admin", "GET /v1.0/other/mgmt/audit").status == 403);
  CHECK(rest.api().changes().size() == 1);  // the create
}

TEST_CASE("bad input on the newer routes gets the contract's fault", "[unit][gateway]") {
  Rest rest;
  const std::string id = rest.Create("ready");
  const std::string put = "PUT /v1.0/p/instances/" + id;
  const std::string patch = "PATCH /v1.0/p/instances/" + id;
  const std::string action = "POST /v1.0/p/instances/" + id + "/action";
  const std::string management = "POST /v1.0/p/mgmt/instances/" + id + "/action";
  const std::string groups = "/v1.0/p/configurations";
  const std::string operations = "/v1.0/p/operations";
  rest.api().SetOperation(FailedOperation());
  v1::Operation running = FailedOperation();
  running.set_id("running");
  running.set_state(v1::Operation::STATE_RUNNING);
  rest.api().SetOperation(running);

  struct Row {
    std::string line;
    std::string body;
    int status;
  };
  for (const Row& row : std::vector<Row>{
           {action, R"({"resize": {}})", 400},
           {action, R"({"resize": 5})", 400},
           {action, R"({"resize": []})", 400},
           {action, R"({"resize": {"volume": 5}})", 400},
           {action, R"({"resize": {"volume": {}}})", 400},
           {action, R"({"resize": {"volume": {"size": 0}}})", 400},
           {action, R"({"resize": {"volume": {"size": 1}}})", 400},  // not larger
           {action, R"({"resize": {"volume": {"size": 1.5}}})", 400},
           {action, R"({"resize": {"volume": {"size": true}}})", 400},
           {action, R"({"resize": {"volume": {"size": 99999999999}}})", 413},
           {action, R"({"resize": {"flavorRef": null}})", 400},
           {action, R"({"resize": {"flavorRef": []}})", 400},
           {action, R"({"resize": {"flavorRef": ""}})", 400},
           {action, R"({"resize": {"flavorRef": 2}})", 400},  // the one that it has
           {action, R"({"restart": {}, "resize": {"flavorRef": 3}})", 400},
           {action, R"({"stop": {}})", 400},
           {"POST /v1.0/p/instances/nope/action", R"({"resize": {"flavorRef": 3}})", 404},
           {management, R"({"stop": 1})", 400},
           {management, R"({"migrate": {}})", 400},
           {management, R"({"stop": {}, "start": {}})", 400},
           {management, "", 400},
           {management, "{}", 400},
           {management, "[]", 400},
           {management, R"({"rebuild": {"image_id": "x"}})", 400},
           {management, R"({"rebuild": {"image": 1}})", 400},
           {"POST /v1.0/p/mgmt/instances/nope/action", R"({"stop": {}})", 404},
           {put, R"({"instance": {"configuration": "x"}})", 400},
           {put, R"({"instance": {"configuration": 7}})", 400},
           {put, R"({"instance": {"datastore_version": null}})", 400},
           {put, R"({"instance": {"datastore_version": "9"}})", 400},
           {put, R"({"instance": {"configuration": null, "datastore_version": "11.4"}})", 400},
           {put, R"({"instance": {"slave_of": null}})", 400},
           {put, R"({"instance": {"unknown": null}})", 400},
           {put, R"({"instance": null})", 400},
           {patch, R"({"instance": {"access": {}}})", 400},
           {"POST " + groups, "", 400},
           {"POST " + groups, "{}", 400},
           {"POST " + groups, R"({"configuration": {"values": {}}})", 400},
           {"POST " + groups, R"({"configuration": {"name": "n"}})", 400},
           {"POST " + groups, Configuration(R"("values": [])"), 400},
           {"POST " + groups, Configuration(R"("values": null)"), 400},
           {"POST " + groups, Configuration(R"("values": {"max_connections": "x"})"), 422},
           {"POST " + groups, Configuration(R"("values": {"max_connections": 1.0})"), 422},
           {"POST " + groups, Configuration(R"("values": {}, "datastore": 7)"), 400},
           {"POST " + groups, Configuration(R"("values": {}, "description": 7)"), 400},
           {"GET " + groups + "/nope", "", 404},
           {"GET " + groups + "?limit=0", "", 400},
           {"DELETE " + groups + "/nope", "", 404},
           {"DELETE " + groups + "/c1", "", 400},
           {"PUT " + groups + "/c1", R"({"configuration": {}})", 404},  // no such route
           {"GET " + operations + "/nope", "", 404},
           {"GET " + operations + "/nope/watch", "", 404},
           {"GET " + operations + "?limit=x", "", 400},
           {"GET " + operations + "?state=nonsense", "", 400},
           {"POST " + operations + "/op/action", R"({"cancel": {}})", 409},
           {"POST " + operations + "/running/action", R"({"retry": {}})", 409},
           {"POST " + operations + "/nope/action", R"({"cancel": {}})", 404},
           {"POST " + operations + "/op/action", R"({"cancel": null})", 400},
           {"POST " + operations + "/op/action", R"({"dance": {}})", 400},
           {"POST " + operations + "/op/action", "{}", 400},
           {"POST " + operations + "/op/action", "", 400},
           {"GET /v1.0/p/events?after=-1", "", 400},
           {"GET /v1.0/p/events?after=x", "", 400},
           {"GET /v1.0/p/events?limit=0", "", 400},
           {"GET /v1.0/p/events?after=1", "", 410},
           {"GET /v1.0/p/events/watch?after=1", "", 410},
           {"GET /v1.0/p/events/watch?after=x", "", 400},
           {"POST /v1.0/p/events/watch", "{}", 404},
           {"GET /v1.0/p/mgmt/audit?limit=0", "", 400},
       }) {
    CAPTURE(row.line, row.body);
    const RawResponse response = rest.As("admin", row.line, row.body);
    CAPTURE(response.body);
    CHECK(response.status == row.status);
    const json::value fault = json::parse(response.body);
    REQUIRE(KeysOf(fault).size() == 1);
    CHECK(fault.at(KeysOf(fault).front()).at("code").as_int64() == row.status);
    CHECK_FALSE(fault.at(KeysOf(fault).front()).at("message").as_string().empty());
  }
}

TEST_CASE("an error of a resize names the client's field", "[unit][gateway]") {
  Rest rest;
  const std::string action = "POST /v1.0/p/instances/" + rest.Create("ready") + "/action";
  CHECK(TextAt(json::parse(rest(action, R"({"resize": {"flavorRef": 2}})").body),
               {"badRequest", "message"}) ==
        "Validation error: resize['flavorRef'] is the flavor that it has");
  CHECK(TextAt(json::parse(rest(action, R"({"resize": {"volume": {"size": 1}}})").body),
               {"badRequest", "message"}) ==
        "Validation error: resize['volume']['size'] must be larger than now");
}

TEST_CASE("an instance can begin with a configuration group and shows it", "[unit][gateway]") {
  Rest rest;
  const RawResponse created =
      rest("POST /v1.0/p/instances",
           R"({"instance": {"name": "n", "flavorRef": 2, "volume": {"size": 1},
                            "configuration": "https://h/v1.0/p/configurations/c1"}})");
  REQUIRE(created.status == 200);
  const json::value instance = json::parse(created.body).at("instance");
  CHECK(TextAt(instance, {"configuration", "id"}) == "c1");
  CHECK(TextAt(instance, {"configuration", "name"}) == "tuned");
  CHECK(TextAt(instance, {"configuration", "links", "0", "href"}) ==
        "https://trove.example:8779/v1.0/p/configurations/c1");
  CHECK(instance.at("reason").at("step") == "prepare");
  CHECK(instance.at("reason").at("since").is_null());
  CHECK(TextAt(instance, {"operation_id"}) == "op-create");
  // A row of a list says neither.
  const json::value row =
      json::parse(rest("GET /v1.0/p/instances").body).at("instances").as_array().at(0);
  CHECK_FALSE(row.as_object().contains("configuration"));
  CHECK_FALSE(row.as_object().contains("reason"));
}

TEST_CASE("configuration groups are made, shown and deleted", "[unit][gateway]") {
  Rest rest;
  const RawResponse created =
      rest("POST /v1.0/p/configurations",
           Configuration(
               R"("description": "d", "datastore": {"type": "mariadb", "version": "10.11"},
             "values": {"max_connections": 300, "sql_mode": "ANSI", "ratio": 2.0, "on": true})"));
  CHECK(created.status == 200);
  const json::value group = json::parse(created.body).at("configuration");
  CHECK(group.at("values") ==
        json::parse(R"({"max_connections": 300, "sql_mode": "ANSI", "ratio": 2.0, "on": true})"));
  CHECK(created.body.find("\"ratio\":2.0") != std::string::npos);
  CHECK(group.at("instance_count").as_int64() == 0);
  CHECK(TextAt(group, {"description"}) == "d");
  const std::string change = rest.api().last_change();
  CHECK(change.find(R"(key: "sql_mode" value: "\"ANSI\"")") != std::string::npos);
  CHECK(change.find(R"(datastore_version: "10.11")") != std::string::npos);

  const json::value shown =
      json::parse(rest("GET /v1.0/p/configurations/c1").body).at("configuration");
  CHECK(KeysOf(shown) == std::vector<std::string>{"id",
                                                  "name",
                                                  "description",
                                                  "values",
                                                  "created",
                                                  "updated",
                                                  "instance_count",
                                                  "datastore_name",
                                                  "datastore_version_id",
                                                  "datastore_version_name",
                                                  "datastore_version_number"});
  CHECK(shown.at("description").is_null());
  CHECK(TextAt(shown, {"values", "admin_password"}) == "***");

  const json::value list = json::parse(rest("GET /v1.0/p/configurations?limit=1").body);
  CHECK(KeysOf(list.at("configurations").as_array().at(0)) ==
        std::vector<std::string>{"id",
                                 "name",
                                 "description",
                                 "created",
                                 "updated",
                                 "datastore_name",
                                 "datastore_version_id",
                                 "datastore_version_name"});
  CHECK(TextAt(list, {"links", "0", "href"}) ==
        "https://trove.example:8779/v1.0/p/configurations?limit=1&marker=c1");

  const RawResponse deleted = rest("DELETE /v1.0/p/configurations/c2");
  CHECK(deleted.status == 202);
  CHECK(deleted.body.empty());
}

TEST_CASE("with validate_only nothing changes and the answer is a plan", "[unit][gateway]") {
  Rest rest;
  const std::string id = rest.Create("ready");
  const std::string instance = " /v1.0/p/instances/" + id;
  const std::string management = "POST /v1.0/p/mgmt/instances/" + id + "/action";
  struct Row {
    std::string line;
    std::string body;
    std::string kind;
  };
  for (const Row& row : std::vector<Row>{
           {"POST /v1.0/p/instances",
            R"({"instance": {"name": "n", "flavorRef": 2, "volume": {"size": 1}}})",
            "instance.create"},
           {"DELETE" + instance, "", "DeleteInstance"},
           {"POST" + instance + "/action", R"({"restart": {}})", "RestartInstance"},
           {"POST" + instance + "/action", R"({"resize": {"flavorRef": 3}})", "ResizeInstance"},
           {"POST" + instance + "/action", R"({"resize": {"volume": {"size": 5}}})", "GrowVolume"},
           {"PUT" + instance, R"({"instance": {"datastore_version": "9"}})", "UpgradeInstance"},
           {"PATCH" + instance,
            R"({"instance": {"name": "new", "datastore_version": "11.4"}})",
            "UpgradeInstance"},
           {"PUT" + instance, R"({"instance": {}})", "DetachConfiguration"},
           {management, R"({"stop": {}})", "StopInstance"},
           {management, R"({"start": {}})", "StartInstance"},
           {management, R"({"reboot": {}})", "RestartInstance"},
           {management, R"({"rebuild": {}})", "RebuildInstance"},
       }) {
    CAPTURE(row.line, row.body);
    std::string line = row.line + "?validate_only=True";
    const RawResponse response =
        rest.Raw(line,
                 "X-Auth-Token: admin\r\nContent-Type: application/json\r\nIdempotency-Key: k\r\n",
                 row.body);
    CAPTURE(response.body);
    CHECK(response.status == 200);
    const json::value plan = json::parse(response.body).at("plan");
    CHECK(TextAt(plan, {"kind"}) == row.kind);
    CHECK(rest.api().last_change().find("validate_only: true") != std::string::npos);
    // A plan is no answer that a repetition could get.
    CHECK(rest.api().last_change().find("request_id") == std::string::npos);
  }
  const json::value after = json::parse(rest("GET" + instance).body).at("instance");
  CHECK(TextAt(after, {"name"}) == "ready");
  CHECK(TextAt(after, {"status"}) == "BUILD");
  CHECK(json::parse(rest("GET /v1.0/p/instances").body).at("instances").as_array().size() == 1);

  CHECK(rest("DELETE" + instance + "?validate_only=true").body ==
        R"({"plan":{"kind":"DeleteInstance","steps":[{"name":"restart",)"
        R"("title":"restarts the database server","downtime":true,"point_of_no_return":false,)"
        R"("expected_seconds":1.5}],"expected_downtime_seconds":2,"measured":7,)"
        R"("quota":[{"resource":"ram","change":-512,"in_use_after":0,"limit":-1}],)"
        R"("notes":["cancels operation x"]}})");
}

TEST_CASE("validate_only is never taken for something else", "[unit][gateway]") {
  Rest rest;
  const std::string instance = " /v1.0/p/instances/" + rest.Create("ready");
  const std::size_t before = rest.api().changes().size();
  for (const std::string value : {"", "1", "yes", "tru", "true&validate_only=x"}) {
    CAPTURE(value);
    CHECK(rest("DELETE" + instance + "?validate_only=" + value).status == 400);
  }
  // Where there is no plan the word is refused.
  CHECK(rest("PUT" + instance + "?validate_only=true", R"({"instance": {"name": "n"}})").status ==
        400);
  CHECK(rest("POST /v1.0/p/configurations?validate_only=true", Configuration(R"("values": {})"))
            .status == 400);
  CHECK(rest("DELETE /v1.0/p/configurations/c2?validate_only=true").status == 400);
  CHECK(rest.api().changes().size() == before);
  CHECK(rest("DELETE" + instance + "?validate_only=false").status == 202);
}

TEST_CASE("the same key gives the same status and body", "[unit][gateway]") {
  Rest rest;
  const std::string body = R"({"instance": {"name": "n", "flavorRef": 2, "volume": {"size": 1}}})";
  const std::string line = "POST /v1.0/p/instances";
  const RawResponse first = rest.With("Idempotency-Key: a key", line, body);
  const RawResponse second = rest.With("idempotency-key: a key", line, body);
  CHECK(first.status == 200);
  CHECK(second.status == 200);
  CHECK(first.body == second.body);
  CHECK(rest.api().last_change().find(R"(request_id: "a key")") != std::string::npos);
  CHECK(first.Header("X-Openstack-Request-Id") != second.Header("X-Openstack-Request-Id"));
  CHECK(rest.With("Idempotency-Key: another", line, body).body != first.body);
  CHECK(json::parse(rest("GET /v1.0/p/instances").body).at("instances").as_array().size() == 2);
}

TEST_CASE("every change carries its key, and a bad key is refused", "[unit][gateway]") {
  Rest rest;
  const std::string instance = " /v1.0/p/instances/" + rest.Create("ready");
  for (const auto& [line, body] : std::vector<std::pair<std::string, std::string>>{
           {"POST" + instance + "/action", R"({"restart": {}})"},
           {"POST" + instance + "/action", R"({"resize": {"flavorRef": 3}})"},
           {"PUT" + instance, R"({"instance": {"name": "new"}})"},
           {"PUT" + instance, R"({"instance": {}})"},
           {"POST /v1.0/p/configurations", Configuration(R"("values": {})")},
           {"DELETE /v1.0/p/configurations/c2", ""},
           {"DELETE" + instance, ""},
       }) {
    CAPTURE(line, body);
    const std::string key(128, 'k');
    rest.With("Idempotency-Key: " + key, line, body);
    CHECK(rest.api().last_change().find("request_id: \"" + key + "\"") != std::string::npos);
    for (const std::string& bad : {"Idempotency-Key: " + std::string(129, 'k'),
                                   std::string("Idempotency-Key: "),
                                   std::string("Idempotency-Key: caf\xc3\xa9"),
                                   std::string("Idempotency-Key: a\tb"),
                                   std::string("Idempotency-Key: a\r\nIdempotency-Key: b")}) {
      CAPTURE(bad);
      const std::size_t before = rest.api().changes().size();
      CHECK(rest.With(bad, line, body).status == 400);
      CHECK(rest.api().changes().size() == before);
    }
  }
  CHECK(rest.With("Idempotency-Key: ", "GET /v1.0/p/instances").status == 200);
}

TEST_CASE("operations are listed, shown, cancelled and retried", "[unit][gateway]") {
  Rest rest;
  rest.api().SetOperation(FailedOperation());
  const json::value list = json::parse(
      rest("GET /v1.0/p/operations?instance_id=i&kind=instance.create&state=failed&limit=50&"
           "marker=m%401")
          .body);
  CHECK(rest.api().last_change() ==
        R"(ListOperations instance_id: "i" kind: "instance.create" states: STATE_FAILED )"
        R"(page_size: 20 page_token: "m@1")");
  CHECK_FALSE(list.at("operations").as_array().at(0).as_object().contains("steps"));
  CHECK(TextAt(list, {"links", "0", "href"}) ==
        "https://trove.example:8779/v1.0/p/operations?instance_id=i&kind=instance.create&"
        "state=failed&limit=50&marker=more%25401");
  CHECK(rest("GET /v1.0/p/operations?all_projects=True").status == 403);

  const RawResponse shown = rest("GET /v1.0/p/operations/op");
  CHECK(shown.body ==
        R"({"operation":{"id":"op","project_id":"p","kind":"instance.create","state":"FAILED",)"
        R"("resource":"instances/i","instance_id":"i","reason":null,"waiting_since":null,)"
        R"("error":"no room","help":null,"step":"volume","steps":[{"name":"volume",)"
        R"("title":"makes the volume","state":"FAILED","attempts":3,"started":null,)"
        R"("finished":null,"last_error":null}],"cancellable":false,"cancel_requested":false,)"
        R"("retries":0,"requested_by":"","created":"2026-01-05T09:00:00",)"
        R"("updated":"1970-01-01T00:00:00","finished":null,"due":null,"deadline":null,)"
        R"("version":4,"links":[{"rel":"self",)"
        R"("href":"https://trove.example:8779/v1.0/p/operations/op"},{"rel":"bookmark",)"
        R"("href":"https://trove.example:8779/operations/op"}]}})");
  const RawResponse retried = rest("POST /v1.0/p/operations/op/action", R"({"retry": {}})");
  CHECK(retried.status == 202);
  CHECK(retried.body == shown.body);
  v1::Operation running = FailedOperation();
  running.set_cancellable(true);
  rest.api().SetOperation(running);
  CHECK(rest("POST /v1.0/p/operations/op/action", R"({"cancel": {}})").status == 202);
  CHECK(rest.api().last_change() == R"(CancelOperation id: "op")");
}

TEST_CASE("events are listed as CloudEvents", "[unit][gateway]") {
  Rest rest;
  rest.api().Publish("instances/i", R"({"status": "ACTIVE"})");
  rest.api().Publish("instances/j", "");
  CHECK(rest("GET /v1.0/p/events?limit=1").body ==
        R"({"events":[{"specversion":"1.0","id":"e5","source":"/trove/0a1b2c3d",)"
        R"("type":"trove.instance.created","subject":"instances/i",)"
        R"("time":"2026-01-05T09:00:00.123456Z","datacontenttype":"application/json",)"
        R"("projectid":"p","resourceversion":"3000000000","position":"5",)"
        R"("data":{"status": "ACTIVE"}}],"next":5})");
  const json::value next = json::parse(rest("GET /v1.0/p/events?after=5").body);
  CHECK(TextAt(next, {"events", "0", "position"}) == "6");
  CHECK(next.at("events").as_array().at(0).at("data") == json::object());
  CHECK(json::parse(rest("GET /v1.0/p/events?subject=instances/i").body).at("next").as_int64() ==
        5);
  CHECK(rest("GET /v1.0/p/events?after=6").body == R"({"events":[],"next":6})");
}

TEST_CASE("admins read who changed what", "[unit][gateway]") {
  Rest rest;
  const RawResponse response = rest.As(
      "admin", "GET /v1.0/p/mgmt/audit?user=u&resource=instances/i&project=q&limit=500&marker=9");
  CHECK(response.status == 200);
  CHECK(response.body ==
        R"({"audit_records":[{"id":7,"time":"2026-01-05T09:00:00.001500Z","project_id":"p",)"
        R"("user":"member@p","roles":["member"],"peer":"192.0.2.7","action":"CreateInstance",)"
        R"("resource":null,"request_id":null,"outcome":"QUOTA_EXCEEDED","message":null,)"
        R"("operation_id":null,"operation_state":null}],"links":[{"rel":"next","href":)"
        R"("https://trove.example:8779/v1.0/p/mgmt/audit?user=u&resource=instances%2Fi&project=q&)"
        R"(limit=500&marker=6"}]})");
  CHECK(rest.api().last_change() ==
        R"(ListAuditRecords project_id: "q" user: "u" resource: "instances/i" page_size: 100 )"
        R"(page_token: "9")");
}

TEST_CASE("the api learns where a request came from", "[unit][gateway]") {
  Rest direct;
  CHECK(direct.With("X-Forwarded-For: 203.0.113.9", "GET /v1.0/p/flavors").status == 200);
  CHECK(direct.api().last_client() == "127.0.0.1");
  GatewayOptions options;
  options.trusted_proxies = *TrustedProxies::Parse({"127.0.0.0/8"});
  Rest behind(options);
  CHECK(behind.With("X-Forwarded-For: 1.1.1.1, 203.0.113.9", "GET /v1.0/p/flavors").status == 200);
  CHECK(behind.api().last_client() == "203.0.113.9");
}

TEST_CASE("a header that is too large is a 431, and an odd Host is in no link", "[unit][gateway]") {
  Rest rest;
  const RawResponse large = rest.Raw("GET /", "X: " + std::string(20'000, 'x') + "\r\n", "");
  CHECK(large.status == 431);
  CHECK(json::parse(large.body).at("requestHeaderFieldsTooLarge").at("code").as_int64() == 431);
  const RawResponse odd = Exchange(rest.port(), "GET / HTTP/1.1\r\nHost: a\xff\"b\r\n\r\n");
  CHECK(TextAt(json::parse(odd.body), {"versions", "0", "links", "0", "href"}) ==
        "http://127.0.0.1:" + std::to_string(rest.port()) + "/v1.0/");
}

}  // namespace trove::gateway
