#include "services/gateway/router.h"

#include <memory>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "oddities.pb.h"
#include "trove/rest/v1/datastore.pb.h"
#include "trove/rest/v1/flavor.pb.h"
#include "trove/rest/v1/instance.pb.h"
#include "trove/rest/v1/limits.pb.h"
#include "trove/rest/v1/version.pb.h"

#include "libtrove/base/status.h"
#include "libtrove/model/errors.h"
#include "services/gateway/codec/json_body.h"
#include "services/gateway/faults.h"
#include "services/gateway/links.h"
#include "services/gateway/url.h"

namespace trove::gateway {
namespace {

const google::protobuf::ServiceDescriptor* ServiceOf(const google::protobuf::Descriptor* message) {
  return message->file()->service(0);
}

std::unique_ptr<Router> MakeRouter() {
  static Plans plans;
  auto router = Router::Make({ServiceOf(oddities::Oddities::descriptor()),
                              ServiceOf(rest::v1::Instance::descriptor()),
                              ServiceOf(rest::v1::Flavor::descriptor()),
                              ServiceOf(rest::v1::Datastore::descriptor()),
                              ServiceOf(rest::v1::Limit::descriptor()),
                              ServiceOf(rest::v1::Version::descriptor())},
                             &plans);
  REQUIRE(router.ok());
  return *std::move(router);
}

// "Rpc name=value …" of a route, or the reason why there is none.
std::string Lead(const Router& router, const std::string& method, const std::string& target) {
  const auto parsed = ParseTarget(target);
  if (!parsed.ok()) return std::string(ReasonOf(parsed.status()).name);
  const auto match = router.Find(method, parsed->segments);
  if (!match.ok()) return std::string(ReasonOf(match.status()).name);
  std::string found = match->routes.front()->rpc->name();
  for (const auto& [name, value] : match->parameters)
    found += " " + name + "=" + value;
  return found;
}

}  // namespace

TEST_CASE("method and path lead to an rpc", "[unit][gateway]") {
  const auto router = MakeRouter();
  const auto [method, target, want] = GENERATE(table<std::string, std::string, std::string>({
      {"GET", "/", "ListVersions"},
      {"GET", "http://host:8779/", "ListVersions"},
      {"GET", "http://host:8779", "ListVersions"},
      {"GET", "/healthcheck", "CheckHealth"},
      {"HEAD", "/healthcheck", "CheckHealth"},
      {"GET", "/v1.0/p/instances", "ListInstances project_id=p"},
      {"GET", "/v1.0/p/instances/", "ListInstances project_id=p"},
      {"GET", "/v1.0/p/instances?limit=1", "ListInstances project_id=p"},
      {"GET", "/v1.0/p/instances.json", "ListInstances project_id=p"},
      {"GET", "/v1.0/p/instances/detail", "ListInstancesDetailed project_id=p"},
      {"POST", "/v1.0/p/instances", "CreateInstance project_id=p"},
      {"GET", "/v1.0/p/instances/i", "ShowInstance project_id=p id=i"},
      {"GET", "/v1.0/p/instances/a.b.c", "ShowInstance project_id=p id=a.b.c"},
      {"GET", "/v1.0/p/instances/x.json", "ShowInstance project_id=p id=x.json"},
      {"GET", "/v1.0/p/instances/a%2Fb%20c", "ShowInstance project_id=p id=a/b c"},
      {"GET", "/v1.0/p/instances/a+b", "ShowInstance project_id=p id=a+b"},
      {"PUT", "/v1.0/p/instances/i", "UpdateInstance project_id=p id=i"},
      {"PATCH", "/v1.0/p/instances/i", "EditInstance project_id=p id=i"},
      {"DELETE", "/v1.0/p/instances/i", "DeleteInstance project_id=p id=i"},
      // The name of a literal that has no such method is an id like any other.
      {"DELETE", "/v1.0/p/instances/detail", "DeleteInstance project_id=p id=detail"},
      {"POST", "/v1.0/p/instances/i/action", "RestartInstance project_id=p id=i"},
      {"GET", "/v1.0/p/limits", "ListLimits project_id=p"},
      {"GET", "/v1.0/p/flavors", "ListFlavors project_id=p"},
      {"GET", "/v1.0/p/flavors/2", "ShowFlavor project_id=p id=2"},
      {"GET", "/v1.0/p/datastores", "ListDatastores project_id=p"},
      {"GET", "/v1.0/p/datastores/mariadb", "ShowDatastore project_id=p datastore=mariadb"},
      {"GET",
       "/v1.0/p/datastores/mariadb/versions",
       "ListDatastoreVersions project_id=p datastore=mariadb"},
      {"GET",
       "/v1.0/p/datastores/mariadb/versions/10.11",
       "ShowDatastoreVersion project_id=p datastore=mariadb version=10.11"},
      {"GET", "/v1.0/p/datastores/versions/v", "ShowVersionById project_id=p version_id=v"},
      {"GET", "/v1.0/p/datastores/versions", "ShowDatastore project_id=p datastore=versions"},
      {"GET",
       "/v1.0/p/datastores/mariadb/versions/v/flavors",
       "ListVersionFlavors project_id=p datastore=mariadb version_id=v"},
      {"GET", "/v1.0/p/things/t", "Show project_id=p id=t"},
      {"GET", "/v1.0/p/stuff/t", "Show project_id=p id=t"},
      // Wrong methods are 404, as everything that is not there.
      {"POST", "/", "UNKNOWN_ROUTE"},
      {"PUT", "/v1.0/p/instances", "UNKNOWN_ROUTE"},
      {"POST", "/v1.0/p/instances/i", "UNKNOWN_ROUTE"},
      {"GET", "/v1.0/p/instances/i/action", "UNKNOWN_ROUTE"},
      {"OPTIONS", "/v1.0/p/instances", "UNKNOWN_ROUTE"},
      {"get", "/v1.0/p/instances", "UNKNOWN_ROUTE"},
      {"GET", "/v2.0/p/instances", "UNKNOWN_ROUTE"},
      {"GET", "/v1.0/p/nothing", "UNKNOWN_ROUTE"},
      {"GET", "/v1.0/p/instances//", "UNKNOWN_ROUTE"},
      {"GET", "/v1.0//instances", "UNKNOWN_ROUTE"},
      {"GET", "//", "UNKNOWN_ROUTE"},
      {"GET", "/.json", "UNKNOWN_ROUTE"},
      {"GET", "/v1.0/p/instances/%zz", "INVALID_FIELD"},
      {"GET", "/v1.0/p/instances/%4", "INVALID_FIELD"},
      {"GET", "*", "INVALID_FIELD"},
  }));
  CAPTURE(method, target);
  CHECK(Lead(*router, method, target) == want);
}

TEST_CASE("the body's keys choose the action", "[unit][gateway]") {
  const auto router = MakeRouter();
  const auto match = router->Find("POST", {"v1.0", "p", "things", "t", "action"});
  REQUIRE(match.ok());
  CHECK(match->ByAction());
  const auto [json, want] = GENERATE(table<std::string, std::string>({
      {R"({"resize": {"volume": {"size": 2}}})", "ResizeVolume"},
      {R"({"resize": {"flavorRef": 2}})", "ResizeFlavor"},
      {R"({"resize": {"flavorRef": 2, "volume": {"size": 2}}})", "ResizeVolume"},
      {R"({"promote": null})", "Promote"},
      // One level is there: the decoder says what is missing below it.
      {R"({"resize": {}})", "ResizeVolume"},
      {R"({"resize": null})", "ResizeVolume"},
      {R"({})", "The body has no action; give one of: resize.volume, resize.flavorRef, promote"},
      {R"({"reboot": {}})",
       "The body has the unknown action 'reboot'; give one of: resize.volume, resize.flavorRef, "
       "promote"},
      {R"({"promote": {}, "reboot": {}})",
       "The body has more than one action; give one of: resize.volume, resize.flavorRef, promote"},
      {R"({"promote": {}, "resize": {"flavorRef": 2}})",
       "The body has more than one action; give one of: resize.volume, resize.flavorRef, promote"},
  }));
  CAPTURE(json);
  const auto chosen = ChooseAction(*match, *ParseBody(json));
  CHECK((chosen.ok() ? (*chosen)->rpc->name() : MessageOf(chosen.status())) == want);
}

TEST_CASE("a complaint quotes what was asked for briefly and in UTF-8", "[unit][gateway]") {
  const auto router = MakeRouter();
  const auto match = router->Find("POST", {"v1.0", "p", "things", "t", "action"});
  REQUIRE(match.ok());
  // The 64th byte is in the middle of a character.
  const std::string key = std::string(63, 'x') + "éé";
  const auto chosen = ChooseAction(*match, *ParseBody("{\"" + key + "\": 1}"));
  CHECK(MessageOf(chosen.status()).find("'" + std::string(63, 'x') + "…'") != std::string::npos);

  const auto target = ParseTarget("/nothing/%ff%c3/" + std::string(1000, 'x'));
  const std::string told = MessageOf(router->Find("GET", target->segments).status());
  CHECK(told.rfind("There is no GET '/nothing/?"
                   "?/xxx",
                   0) == 0);
  CHECK(told.size() < 300);
  CHECK(FaultResponse(absl::NotFoundError("a \xff b")).body ==
        R"({"itemNotFound":{"code":404,"message":"a ? b"}})");
}

TEST_CASE("a query is split and decoded once", "[unit][gateway]") {
  const auto [target, want] = GENERATE(table<std::string, Parameters>({
      {"/x?limit=1&marker=joe%40%25", {{"limit", "1"}, {"marker", "joe@%"}}},
      {"/x?marker=joe%2540%2525", {{"marker", "joe%40%25"}}},
      {"/x?a=b+c", {{"a", "b c"}}},
      {"/x?a=100%", {{"a", "100%"}}},
      {"/x?a", {{"a", ""}}},
      {"/x?", {}},
      {"/x?&&a=b=c&", {{"a", "b=c"}}},
      {"/x?a=1#f", {{"a", "1"}}},
  }));
  CAPTURE(target);
  CHECK(ParseTarget(target)->query == want);
}

TEST_CASE("links are https under the host that was asked", "[unit][gateway]") {
  const LinkBase base{.host = "trove.example:8779", .project_id = "p"};
  Links links;
  AddLinks(base, "datastores/versions", "v", &links);
  REQUIRE(links.size() == 2);
  CHECK(links[0].rel() == "self");
  CHECK(links[0].href() == "https://trove.example:8779/v1.0/p/datastores/versions/v");
  CHECK(links[1].rel() == "bookmark");
  CHECK(links[1].href() == "https://trove.example:8779/datastores/versions/v");
}

TEST_CASE("the next page's marker is encoded for those who paste it and those who follow it",
          "[unit][gateway]") {
  const LinkBase base{.host = "h", .project_id = "p"};
  const Target request =
      *ParseTarget("/v1.0/p/instances?limit=1&marker=old&include_clustered=False");
  const std::string begin = "https://h/v1.0/p/instances?limit=1&include_clustered=False&marker=";
  Links links;
  AddNextLink(base, request, "joe@%", MarkerEncoding::kTwice, &links);
  AddNextLink(base, request, "joe@%", MarkerEncoding::kOnce, &links);
  CHECK(links[0].rel() == "next");
  CHECK(links[0].href() == begin + "joe%2540%2525");
  CHECK(links[1].href() == begin + "joe%40%25");

  // Whoever decodes the first once and pastes it, and whoever follows the second, asks for the
  // same.
  const std::string pasted = ParseTarget(links[0].href())->query.back().second;
  CHECK(ParseTarget("/x?marker=" + pasted)->query.back().second == "joe@%");
  CHECK(ParseTarget(links[1].href())->query.back().second == "joe@%");
}

TEST_CASE("a fault has Trove's shape", "[unit][gateway]") {
  const auto [status, http, body] = GENERATE(table<absl::Status, int, std::string>({
      {MakeError(Reason::kInvalidField, "why \"x\""),
       400,
       R"({"badRequest":{"code":400,"message":"why \"x\""}})"},
      {MakeError(Reason::kInstanceNotFound, "m"),
       404,
       R"({"itemNotFound":{"code":404,"message":"m"}})"},
      {MakeError(Reason::kProjectMismatch, "m"),
       403,
       R"({"forbidden":{"code":403,"message":"m"}})"},
      {MakeError(Reason::kQuotaExceeded, "m"), 413, R"({"overLimit":{"code":413,"message":"m"}})"},
      {MakeError(Reason::kUnsupportedMediaType, "m"),
       415,
       R"({"badMediaType":{"code":415,"message":"m"}})"},
      {MakeError(Reason::kWrongState, "m"),
       422,
       R"({"unprocessableEntity":{"code":422,"message":"m"}})"},
      {MakeError(Reason::kNotSupported, "m"),
       501,
       R"({"notImplemented":{"code":501,"message":"m"}})"},
      {MakeError(Reason::kRateLimited, "rate limited", {.retry_after = absl::Milliseconds(6500)}),
       413,
       R"({"overLimit":{"code":413,"message":"rate limited","retryAfter":"7"}})"},
      // A status that names no reason falls under its code.
      {absl::NotFoundError("m"), 404, R"({"itemNotFound":{"code":404,"message":"m"}})"},
      {absl::InternalError("m"), 500, R"({"instanceFault":{"code":500,"message":"m"}})"},
  }));
  const HttpResponse response = FaultResponse(status, "http://h");
  CHECK(response.status == http);
  CHECK(response.body == body);
  CHECK(response.content_type == "application/json");
}

TEST_CASE("a fault says when to come back and where to get a token", "[unit][gateway]") {
  CHECK(FaultResponse(MakeError(Reason::kOverloaded, "m", {.retry_after = absl::Seconds(2)}))
            .headers == Headers{{"Retry-After", "2"}});
  CHECK(FaultResponse(MakeError(Reason::kUnauthenticated, "m"), "http://h:1").headers ==
        Headers{{"WWW-Authenticate", "Keystone uri=\"http://h:1\""}});
}

TEST_CASE("bindings that cannot work are refused at start-up", "[unit][gateway]") {
  Plans plans;
  const auto* service = ServiceOf(oddities::Oddities::descriptor());
  CHECK(absl::IsInvalidArgument(Router::Make({service, service}, &plans).status()));
}

}  // namespace trove::gateway
