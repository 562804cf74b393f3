#include "services/gateway/gateway.h"

#include <memory>
#include <string>
#include <vector>

#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include "test/support/eventually.h"
#include "test/unit/gateway/rest_fixture.h"

namespace trove::gateway {

TEST_CASE("versions and health need no token", "[unit][gateway]") {
  Rest rest;
  const RawResponse versions = rest.Raw("GET /", "", "");
  CHECK(versions.status == 200);
  CHECK(versions.body ==
        R"({"versions":[{"id":"v1.0","status":"CURRENT","updated":"2012-08-01T00:00:00Z",)"
        R"("links":[{"rel":"self","href":"http://trove.example:8779/v1.0/"}]}]})");
  const RawResponse health = rest.Raw("GET /healthcheck", "", "");
  CHECK(health.status == 200);
  CHECK(health.body == "OK");
  CHECK(health.Header("Content-Type") == "text/plain; charset=UTF-8");
  rest.api().server().SetServing(false);
  CHECK(rest.Raw("GET /healthcheck", "", "").status == 503);
}

TEST_CASE("an instance lives from create to delete", "[unit][gateway]") {
  Rest rest;
  const RawResponse created = rest(
      "POST /v1.0/p/instances",
      R"({"instance": {"name": "orders", "flavorRef": 2, "volume": {"size": 1, "type": null}}})");
  REQUIRE(created.status == 200);
  CHECK(created.Header("X-Openstack-Request-Id").rfind("req-", 0) == 0);
  CHECK(rest.api().request_ids().back() == created.Header("X-Openstack-Request-Id"));
  const json::value instance = json::parse(created.body).at("instance");
  CHECK(KeysOf(instance) == std::vector<std::string>{"id",
                                                     "name",
                                                     "status",
                                                     "operating_status",
                                                     "links",
                                                     "flavor",
                                                     "datastore",
                                                     "region",
                                                     "access",
                                                     "volume",
                                                     "created",
                                                     "updated",
                                                     "reason",
                                                     "operation_id"});
  CHECK(TextAt(instance, {"status"}) == "BUILD");
  CHECK(instance.at("region").is_null());
  CHECK(TextAt(instance, {"created"}) == "2026-01-05T09:00:00");
  const std::string id(instance.at("id").as_string());
  CHECK(TextAt(instance, {"links", "0", "href"}) ==
        "https://trove.example:8779/v1.0/p/instances/" + id);

  const std::string path = " /v1.0/p/instances/" + id;
  CHECK(rest("GET" + path).status == 200);

  const RawResponse renamed = rest("PUT" + path, R"({"instance": {"name": "new"}})");
  CHECK(renamed.status == 202);
  CHECK(renamed.body.empty());
  CHECK(renamed.Header("Content-Length") == "0");
  CHECK(renamed.Header("Content-Type") == "application/json");
  CHECK(TextAt(json::parse(rest("GET" + path).body), {"instance", "name"}) == "new");
  CHECK(rest("PATCH" + path, R"({"instance": {"name": "newer"}})").status == 202);
  CHECK(rest("PUT" + path, R"({"instance": {}})").status == 202);
  CHECK(TextAt(json::parse(rest("GET" + path).body), {"instance", "name"}) == "newer");

  CHECK(rest("POST" + path + "/action", R"({"restart": {}})").status == 422);
  const RawResponse deleted = rest("DELETE" + path);
  CHECK(deleted.status == 202);
  CHECK(deleted.body.empty());
  CHECK(TextAt(json::parse(rest("GET" + path).body), {"instance", "status"}) == "SHUTDOWN");
}

TEST_CASE("admins see more of the same instance", "[unit][gateway]") {
  Rest rest;
  const std::string path = "GET /v1.0/p/instances/" + rest.Create("orders");
  const json::value admin = json::parse(rest.As("admin", path).body).at("instance");
  CHECK(TextAt(admin, {"tenant_id"}) == "p");
  CHECK(TextAt(admin, {"volume_id"}) == "v");
  const json::value member = json::parse(rest.As("member", path).body).at("instance");
  CHECK_FALSE(member.as_object().contains("tenant_id"));
  CHECK_FALSE(member.as_object().contains("volume_id"));
}

TEST_CASE("pages lead from one to the next and the last has no link", "[unit][gateway]") {
  Rest rest;
  for (int i = 0; i < 5; ++i)
    rest.Create("i" + std::to_string(i));
  std::size_t seen = 0;
  std::string target = "/v1.0/p/instances?limit=2&include_clustered=False";
  for (int pages = 0; pages < 3; ++pages) {
    const json::value page = json::parse(rest("GET " + target).body);
    seen += page.at("instances").as_array().size();
    // A row of a list has fewer fields than a detailed one.
    CHECK_FALSE(page.at("instances").as_array().at(0).as_object().contains("created"));
    if (!page.as_object().contains("links")) break;
    const std::string href = TextAt(page, {"links", "0", "href"});
    CHECK(href.rfind("https://trove.example:8779/v1.0/p/instances?limit=2&include_clustered=False&"
                     "marker=",
                     0) == 0);
    target = href.substr(std::string("https://trove.example:8779").size());
  }
  CHECK(seen == 5);
  const json::value detail = json::parse(rest("GET /v1.0/p/instances/detail").body);
  CHECK(detail.at("instances").as_array().at(0).as_object().contains("created"));
  CHECK(TextAt(detail, {"instances", "0", "name"}) == "i4");  // the youngest first
  CHECK_FALSE(detail.as_object().contains("links"));
}

TEST_CASE("the catalogue is shown", "[unit][gateway]") {
  Rest rest;
  CHECK(json::parse(rest("GET /v1.0/p/limits").body).at("limits").as_array().at(0) ==
        json::parse(R"({"verb": "ABSOLUTE", "max_instances": 10, "max_ram": -1,
                        "max_backups": -1, "max_volumes": -1})"));
  const json::value flavor = json::parse(rest("GET /v1.0/p/flavors/2").body).at("flavor");
  CHECK(flavor.at("id").as_int64() == 2);
  CHECK(TextAt(flavor, {"str_id"}) == "2");
  CHECK(json::parse(rest("GET /v1.0/p/flavors").body).at("flavors").as_array().size() == 1);
  CHECK(rest("GET /v1.0/p/flavors/9").status == 404);
  CHECK(rest("GET /v1.0/p/datastores/mariadb/versions/any/flavors").status == 200);

  const json::value datastores = json::parse(rest("GET /v1.0/p/datastores").body);
  const json::value datastore = datastores.at("datastores").as_array().at(0);
  const std::string version(datastore.at("default_version").as_string());
  CHECK(KeysOf(datastore.at("versions").as_array().at(0)) ==
        std::vector<std::string>{"id", "name", "version", "links"});
  CHECK(rest("GET /v1.0/p/datastores/mariadb").status == 200);
  CHECK(rest("GET /v1.0/p/datastores/oracle").status == 404);
  CHECK(rest("GET /v1.0/p/datastores/mariadb/versions").status == 200);
  CHECK(rest("GET /v1.0/p/datastores/mariadb/versions/10.11").status == 200);
  CHECK(rest("GET /v1.0/p/datastores/versions/" + version).status == 200);
  CHECK(rest("GET /v1.0/p/datastores/versions/unknown").status == 400);
  const json::value admin =
      json::parse(rest.As("admin", "GET /v1.0/p/datastores/versions/" + version).body);
  CHECK(KeysOf(admin.at("version")) == std::vector<std::string>{"id",
                                                                "name",
                                                                "version",
                                                                "links",
                                                                "datastore",
                                                                "active",
                                                                "packages",
                                                                "image",
                                                                "image_tags",
                                                                "registry_ext",
                                                                "repl_strategy"});
}

TEST_CASE("bad input gets the contract's fault and never a 500", "[unit][gateway]") {
  Rest rest;
  const std::string instances = "/v1.0/p/instances";
  const std::string good = R"("name": "n", "flavorRef": "2", "volume": {"size": 1})";
  const auto create = [&](const std::string& fields) {
    return R"({"instance": {)" + fields + "}}";
  };
  std::string deep = R"({"instance": )";
  for (int i = 0; i < 32; ++i)
    deep += R"({"a":)";
  deep += "1" + std::string(33, '}');

  struct Row {
    std::string line;
    std::string body;
    int status;
    std::string fault;
  };
  for (const Row& row : std::vector<Row>{
           {"POST " + instances,
            create(good + R"(, "datastore": {"type": "oracle"})"),
            404,
            "itemNotFound"},
           {"POST " + instances,
            create(R"("name": "n", "flavorRef": "9", "volume": {"size": 1})"),
            400,
            "badRequest"},
           {"POST " + instances,
            create(R"("name": "n", "flavorRef": "2", "volume": {"size": 0})"),
            400,
            "badRequest"},
           {"POST " + instances,
            create(R"("name": "n", "flavorRef": "2", "volume": {"size": -1})"),
            400,
            "badRequest"},
           {"POST " + instances,
            create(R"("name": "n", "flavorRef": "2", "volume": {"size": 11})"),
            413,
            "overLimit"},
           {"POST " + instances,
            create(R"("name": "", "flavorRef": "2", "volume": {"size": 1})"),
            400,
            "badRequest"},
           {"POST " + instances,
            create(R"("name": ")" + std::string(300, 'x') + R"(", "flavorRef": "2")"),
            400,
            "badRequest"},
           {"POST " + instances,
            create(good + R"(, "replica_of": "0f2c8a1e-5b1d-4c39-8a41-0b6d0d0c1a11")"),
            501,
            "notImplemented"},
           {"POST " + instances, "not json", 400, "badRequest"},
           {"POST " + instances, "[]", 400, "badRequest"},
           {"POST " + instances, R"({"instance": 7})", 400, "badRequest"},
           {"POST " + instances, R"({"instance": {"name": 7}})", 400, "badRequest"},
           {"POST " + instances, "{}", 400, "badRequest"},
           {"POST " + instances, "", 400, "badRequest"},
           {"POST " + instances, deep, 400, "badRequest"},
           {"POST " + instances, std::string(1024 * 1024 + 1, ' '), 413, "overLimit"},
           {"GET " + instances + "?limit=0", "", 400, "badRequest"},
           {"GET " + instances + "?limit=x", "", 400, "badRequest"},
           {"GET " + instances + "/%ff", "", 400, "badRequest"},
           {"GET " + instances + "/%zz", "", 400, "badRequest"},
           {"GET " + instances + "/nope", "", 404, "itemNotFound"},
           {"PUT " + instances + "/nope", R"({"instance": {}})", 404, "itemNotFound"},
           {"PUT " + instances + "/nope", R"({"instance": {"nam": "x"}})", 400, "badRequest"},
           {"POST " + instances + "/nope/action", R"({"dance": {}})", 400, "badRequest"},
           {"POST " + instances + "/nope/action", "{}", 400, "badRequest"},
           {"POST " + instances + "/nope/action", "", 400, "badRequest"},
           {"POST " + instances + "/nope/action", R"({"restart": null})", 400, "badRequest"},
           {"PUT " + instances, "", 404, "itemNotFound"},
           {"POST " + instances + "/nope", "{}", 404, "itemNotFound"},
           {"GET /v1.0/p/nothing", "", 404, "itemNotFound"},
           {"GET /nothing", "", 404, "itemNotFound"},
           {"GET /v1.0/other/instances", "", 403, "forbidden"},
           {"GET /v1.0/%0d%0aevil/instances", "", 403, "forbidden"},
           {"GET /v1.0", "", 403, "forbidden"},
           {"GET /v1.0/", "", 403, "forbidden"},
           {"GET /v1.0/p", "", 403, "forbidden"},
           {"GET /v1.0/other", "", 403, "forbidden"},
       }) {
    CAPTURE(row.line, row.body.substr(0, 100));
    const RawResponse response = rest(row.line, row.body);
    CAPTURE(response.body);
    CHECK(response.status == row.status);
    CHECK(response.Header("Content-Type") == "application/json");
    CHECK_FALSE(response.Header("X-Openstack-Request-Id").empty());
    const json::value body = json::parse(response.body);
    REQUIRE(KeysOf(body) == std::vector<std::string>{row.fault});
    CHECK(body.at(row.fault).at("code").as_int64() == row.status);
    CHECK_FALSE(body.at(row.fault).at("message").as_string().empty());
  }
}

TEST_CASE("without a good token there is a 401 that says where to get one", "[unit][gateway]") {
  Rest rest;
  const std::string path =
      GENERATE(as<std::string>(), "/v1.0/p/instances", "/v1.0/other/instances", "/v1.0", "/v1.0/p");
  CAPTURE(path);
  for (const std::string& header : {std::string(),
                                    std::string("X-Auth-Token: \r\n"),
                                    std::string("X-Auth-Token: wrong\r\n"),
                                    std::string("X-Auth-Token: \xff\xfe\r\n"),
                                    std::string("X-Auth-Token: two words\r\n"),
                                    std::string("Authorization: Basic member\r\n"),
                                    std::string("Authorization: Bearer wrong\r\n")}) {
    CAPTURE(header);
    const RawResponse response = rest.Raw("GET " + path, header, "");
    CHECK(response.status == 401);
    CHECK(response.Header("WWW-Authenticate") == "Keystone uri=\"http://trove.example:8779\"");
    CHECK(KeysOf(json::parse(response.body)) == std::vector<std::string>{"unauthorized"});
  }
  // Whether a path exists is nobody's business without a token.
  CHECK(rest.Raw("GET /v1.0/p/nothing", "", "").status == 401);
}

TEST_CASE("a token comes in either header", "[unit][gateway]") {
  Rest rest;
  for (const std::string header : {"X-Auth-Token: member\r\n",
                                   "x-auth-token: member\r\n",
                                   "Authorization: Bearer member\r\n",
                                   "Authorization: Bearer wrong\r\nX-Auth-Token: member\r\n"}) {
    CAPTURE(header);
    CHECK(rest.Raw("GET /v1.0/p/flavors", header, "").status == 200);
  }
}

TEST_CASE("the body's media type decides whether it is read", "[unit][gateway]") {
  Rest rest;
  const std::string body =
      R"({"instance": {"name": "n", "flavorRef": "2", "volume": {"size": 1}}})";
  const auto [type, status] = GENERATE(table<std::string, int>({
      {"Content-Type: application/json\r\n", 200},
      {"content-type: Application/JSON; charset=utf-8\r\n", 200},
      {"Content-Type: application/vnd.openstack.trove+json\r\n", 200},
      {"Content-Type: text/plain\r\n", 415},
      {"Content-Type: application/xml\r\n", 415},
      {"", 400},  // no type, no body
  }));
  CAPTURE(type);
  CHECK(rest.Raw("POST /v1.0/p/instances", "X-Auth-Token: member\r\n" + type, body).status ==
        status);
}

TEST_CASE("an api that is gone or silent is a 503, not a hang", "[unit][gateway]") {
  GatewayOptions options;
  options.request_timeout = absl::Seconds(5);
  Rest rest(options);
  rest.api().server().Drain(absl::ZeroDuration());
  const RawResponse response = rest("GET /v1.0/p/instances");
  CHECK(response.status == 503);
  CHECK(response.body ==
        R"({"serviceUnavailable":{"code":503,"message":"The service is not available; )"
        R"(try again later"}})");
  CHECK(rest.Raw("GET /", "", "").status == 200);
}

TEST_CASE("an api that does not answer is a 504 in the end", "[unit][gateway]") {
  GatewayOptions options;
  options.request_timeout = absl::Milliseconds(200);
  Rest rest(options);
  const RawResponse response = rest("GET /v1.0/p/instances/hang");
  CHECK(response.status == 504);
  CHECK(KeysOf(json::parse(response.body)) == std::vector<std::string>{"gatewayTimeout"});
}

TEST_CASE("a gateway that stops gives up what is under way", "[unit][gateway]") {
  auto rest = std::make_unique<Rest>();
  RawClient client(rest->port());
  REQUIRE(client.Send(
      "GET /v1.0/p/instances/hang HTTP/1.1\r\nHost: h\r\nX-Auth-Token: member\r\n\r\n"));
  REQUIRE(Eventually(absl::Seconds(10), [&] { return rest->api().hanging() == 1; }));
  rest.reset();
  CHECK(client.Closed());
}

TEST_CASE("HEAD is a GET without its body", "[unit][gateway]") {
  Rest rest;
  RawClient client(rest.port());
  REQUIRE(
      client.Send("HEAD /v1.0/p/flavors/2 HTTP/1.1\r\nHost: h\r\nX-Auth-Token: member\r\n\r\n"
                  "GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  const RawResponse head = client.Receive(RawClient::Body::kNone);
  CHECK(head.status == 200);
  CHECK(head.Header("Content-Length") != "0");
  CHECK(client.Receive().body.rfind("{\"versions\"", 0) == 0);
}

}  // namespace trove::gateway
