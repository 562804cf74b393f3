#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/status.h"
#include "libtrove/model/errors.h"
#include "services/gateway/codec/decode.h"
#include "services/gateway/codec/json_body.h"
#include "services/gateway/codec/plan.h"
#include "services/gateway/views/configurations.h"
#include "services/gateway/views/datastores.h"
#include "services/gateway/views/events.h"
#include "services/gateway/views/field_errors.h"
#include "services/gateway/views/flavors.h"
#include "services/gateway/views/instances.h"
#include "services/gateway/views/limits.h"
#include "services/gateway/views/operations.h"
#include "services/gateway/views/plans.h"
#include "services/gateway/views/versions.h"

namespace trove::gateway {
namespace {

Asked AskedFor(const std::string& target) {
  Asked asked;
  asked.links = {.host = "h:8779", .project_id = "p"};
  asked.scheme = "http";
  asked.target = *ParseTarget(target);
  asked.region = "RegionOne";
  return asked;
}

// What a mapper sees of a body.
template <typename Document>
std::pair<Document, Asked> Read(const std::string& json) {
  Plans plans;
  REQUIRE(plans.Add(Document::descriptor()).ok());
  std::pair<Document, Asked> read{Document(), AskedFor("/v1.0/p/instances")};
  const auto body = ParseBody(json);
  REQUIRE(body.ok());
  const absl::Status decoded = DecodeBody(plans, *body, &read.first, &read.second.presence);
  INFO(MessageOf(decoded));
  REQUIRE(decoded.ok());
  return read;
}

v1::Instance FullInstance() {
  v1::Instance instance;
  instance.set_id("6a8f1c52-0d0e-4c4e-9a7a-51f9f0a7e001");
  instance.set_project_id("p");
  instance.set_name("orders");
  instance.set_status(v1::Instance::STATUS_ACTIVE);
  instance.set_operating_status(v1::Instance::OPERATING_STATUS_HEALTHY);
  instance.set_datastore_name("mariadb");
  instance.set_version_name("10.11");
  instance.set_version_number("10.11.6");
  instance.set_flavor_id("2");
  instance.mutable_volume()->set_id("vol");
  instance.mutable_volume()->set_size_gib(5);
  instance.mutable_volume()->set_used_gib(0.4217);
  instance.mutable_volume()->set_used_percent(8.4349);
  v1::Instance::Address* address = instance.add_addresses();
  address->set_address("127.0.0.1");
  address->set_port(20017);
  address->set_type("private");
  instance.set_connection_uri("mysql://127.0.0.1:20017/");
  instance.set_region("RegionOne");
  instance.mutable_created_at()->set_seconds(1767603600);
  instance.mutable_updated_at()->set_seconds(1767603601);
  return instance;
}

}  // namespace

TEST_CASE("a full create reaches the api field by field", "[unit][gateway]") {
  const auto [document, asked] = Read<rest::v1::CreateInstanceRequest>(R"({"instance": {
      "name": "orders", "flavorRef": 2, "volume": {"size": "5", "type": null},
      "datastore": {"type": "mariadb", "version": "10.11", "version_number": "10.11.6"},
      "databases": [{"name": "shop", "character_set": "utf8mb4", "collate": "utf8mb4_bin"}],
      "users": [{"name": "app", "password": "pw1", "host": "10.0.0.%",
                 "databases": [{"name": "shop"}]}],
      "nics": [{"net-id": "0f2c8a1e-5b1d-4c39-8a41-0b6d0d0c1a11",
                "subnet_id": "1f2c8a1e-5b1d-4c39-8a41-0b6d0d0c1a11", "ip_address": "10.0.0.7"}],
      "replica_count": 1, "modules": [], "configuration": "https://h/v1.0/p/configurations/c7", "region_name": "RegionOne",
      "access": {"is_public": false, "allowed_cidrs": ["10.0.0.0/8"]}}})");
  const auto request = ToCreateInstance(document, asked);
  REQUIRE(request.ok());
  CHECK(request->name() == "orders");
  CHECK(request->flavor_id() == "2");
  CHECK(request->volume_size_gib() == 5);
  CHECK(request->datastore() == "mariadb");
  CHECK(request->datastore_version() == "10.11");
  CHECK(request->datastore_version_number() == "10.11.6");
  CHECK(request->databases(0).character_set() == "utf8mb4");
  CHECK(request->databases(0).collation() == "utf8mb4_bin");
  CHECK(request->users(0).host() == "10.0.0.%");
  CHECK(request->users(0).databases(0) == "shop");
  CHECK(request->nics(0).network_id() == "0f2c8a1e-5b1d-4c39-8a41-0b6d0d0c1a11");
  CHECK(request->nics(0).ip_address() == "10.0.0.7");
  CHECK(request->access().allowed_cidrs(0) == "10.0.0.0/8");
  CHECK(request->configuration_id() == "c7");
}

TEST_CASE("a create is refused by the name of the field that cannot be", "[unit][gateway]") {
  const std::string uuid = R"("0f2c8a1e-5b1d-4c39-8a41-0b6d0d0c1a11")";
  const auto [json, status, begin] = GENERATE_COPY(table<std::string, int, std::string>({
      {R"("restorePoint": {"backupRef": )" + uuid + "}", 501, "instance['restorePoint']: "},
      {R"("replica_of": )" + uuid, 501, "instance['replica_of']: "},
      {R"("replica_count": 2)", 400, "Validation error: instance['replica_count'] "},
      {R"("modules": [{"id": )" + uuid + "}]", 501, "instance['modules']: "},
      {R"("locality": "affinity")", 501, "instance['locality']: "},
      {R"("availability_zone": "nova")", 501, "instance['availability_zone']: "},
      {R"("volume": {"size": 1, "type": "ssd"})", 501, "instance['volume']['type']: "},
      {R"("volume": {"size": "99999999999"})", 413, "instance['volume']['size']: "},
      {R"("region_name": "Elsewhere")", 400, "Validation error: instance['region_name'] "},
      {R"("nics": [{}])", 400, "Validation error: instance['nics'][0] "},
      {R"("nics": [{"ip_address": "10.0.0.1", "net-id": )" + uuid + "}]",
       400,
       "Validation error: instance['nics'][0] "},
  }));
  CAPTURE(json);
  const std::string volume =
      json.find("\"volume\"") == std::string::npos ? R"("volume": {"size": 1}, )" : "";
  const auto [document, asked] = Read<rest::v1::CreateInstanceRequest>(
      R"({"instance": {"name": "n", "flavorRef": "1", )" + volume + json + "}}");
  const absl::Status refused = ToCreateInstance(document, asked).status();
  CHECK(ReasonOf(refused).rest_status == status);
  CHECK(MessageOf(refused).rfind(begin, 0) == 0);
}

TEST_CASE("a create needs a flavor and a volume", "[unit][gateway]") {
  const auto [json, want] = GENERATE(table<std::string, std::string>({
      {R"("volume": {"size": 1})", "Validation error: instance 'flavorRef' is a required property"},
      {R"("flavorRef": 1)", "Validation error: instance 'volume' is a required property"},
  }));
  const auto [document, asked] =
      Read<rest::v1::CreateInstanceRequest>(R"({"instance": {"name": "n", )" + json + "}}");
  const absl::Status refused = ToCreateInstance(document, asked).status();
  CHECK(ReasonOf(refused).rest_status == 400);
  CHECK(MessageOf(refused) == want);
}

TEST_CASE("a PUT is a change, a new name, both, or refused", "[unit][gateway]") {
  using Kind = InstanceChange::Kind;
  const std::string id = "0f2c8a1e-5b1d-4c39-8a41-0b6d0d0c1a11";
  const std::string uuid = "\"" + id + "\"";
  struct Row {
    std::string json;
    int status;
    Kind kind = Kind::kNone;
    std::string value;
    std::string name;
  };
  for (const Row& row : std::vector<Row>{
           {R"({"name": "new"})", 200, Kind::kNone, "", "new"},
           {R"({})", 200, Kind::kDetach},
           {R"({"configuration": null})", 200, Kind::kDetach},
           {R"({"name": "new", "configuration": null})", 200, Kind::kDetach, "", "new"},
           {R"({"configuration": )" + uuid + "}", 200, Kind::kAttach, id},
           {R"({"name": "new", "configuration": )" + uuid + "}", 200, Kind::kAttach, id, "new"},
           {R"({"datastore_version": "11.4"})", 200, Kind::kUpgrade, "11.4"},
           {R"({"datastore_version": "11.4", "name": "new"})", 200, Kind::kUpgrade, "11.4", "new"},
           {R"({"replica_of": null})", 400},
           {R"({"replica_of": ""})", 400},
           {R"({"access": {"is_public": true}})", 501},
           {R"({"configuration": null, "access": {}})", 400},
           {R"({"configuration": null, "datastore_version": "11.4"})", 400},
           {R"({"name": "new", "replica_of": null, "datastore_version": "11.4"})", 400},
       }) {
    CAPTURE(row.json);
    const auto [document, asked] =
        Read<rest::v1::UpdateInstanceRequest>(R"({"instance": )" + row.json + "}");
    const auto change = ChangeOfUpdate(document, asked);
    CHECK((change.ok() ? 200 : ReasonOf(change.status()).rest_status) == row.status);
    if (!change.ok()) continue;
    CHECK(change->kind == row.kind);
    CHECK(change->value == row.value);
    CHECK(change->name.value_or("") == row.name);
  }
}

TEST_CASE("a new name alone has no plan", "[unit][gateway]") {
  auto [document, asked] =
      Read<rest::v1::UpdateInstanceRequest>(R"({"instance": {"name": "new"}})");
  asked.validate_only = true;
  CHECK(ReasonOf(ChangeOfUpdate(document, asked).status()).rest_status == 400);
}

TEST_CASE("a PATCH knows the old name of a detach", "[unit][gateway]") {
  const auto [document, asked] =
      Read<rest::v1::EditInstanceRequest>(R"({"instance": {"slave_of": null}})");
  CHECK(ReasonOf(ChangeOfEdit(document, asked).status()).rest_status == 400);
}

TEST_CASE("a page is never larger than twenty", "[unit][gateway]") {
  const auto [limit, want] =
      GENERATE(table<std::int64_t, int>({{0, 20}, {1, 1}, {20, 20}, {21, 20}, {INT64_MAX, 20}}));
  rest::v1::ListInstancesRequest document;
  if (limit > 0) document.set_limit(limit);
  document.set_marker("m");
  const auto request = ToListInstances(document, {});
  CHECK(request->page_size() == want);
  CHECK(request->page_token() == "m");
}

TEST_CASE("an instance has Trove's fields and some of ours", "[unit][gateway]") {
  const rest::v1::Instance shown =
      InstanceView(FullInstance(), AskedFor("/v1.0/p/instances/i")).instance();
  CHECK(shown.status() == "ACTIVE");
  CHECK(shown.operating_status() == "HEALTHY");
  CHECK(shown.links(0).href() == "https://h:8779/v1.0/p/instances/" + shown.id());
  CHECK(shown.flavor().id() == "2");
  CHECK(shown.flavor().links(1).href() == "https://h:8779/flavors/2");
  CHECK(shown.datastore().version_number() == "10.11.6");
  CHECK(shown.volume().used() == Approx(0.42));
  CHECK(shown.volume().used_percent() == Approx(8.43));
  CHECK(shown.ip(0) == "127.0.0.1");
  CHECK(shown.addresses(0).port() == 20017);
  CHECK_FALSE(shown.addresses(0).has_network());
  CHECK(shown.connection_uri() == "mysql://127.0.0.1:20017/");
  CHECK_FALSE(shown.has_reason());
  CHECK_FALSE(shown.has_fault());
  CHECK_FALSE(shown.has_service_status_updated());
}

TEST_CASE("an instance in trouble says why", "[unit][gateway]") {
  v1::Instance instance = FullInstance();
  instance.set_status(v1::Instance::STATUS_BUILD);
  instance.set_operating_status(v1::Instance::OPERATING_STATUS_UNSPECIFIED);
  instance.set_operation_id("op");
  v1::Instance::Reason& reason = *instance.mutable_reason();
  CHECK_FALSE(InstanceView(instance, AskedFor("/")).instance().has_reason());
  reason.set_step("prepare");
  reason.set_waiting_for("the guest agent");
  reason.mutable_since()->set_seconds(1767603600);
  reason.set_last_error("no answer");
  reason.set_help("look at the host");
  instance.mutable_fault()->set_message("failed");
  instance.mutable_fault()->mutable_created_at()->set_seconds(1767603600);
  const rest::v1::Instance shown = InstanceView(instance, AskedFor("/")).instance();
  CHECK(shown.status() == "BUILD");
  CHECK(shown.operating_status().empty());
  CHECK(shown.reason().step() == "prepare");
  CHECK(shown.reason().waiting_for() == "the guest agent");
  CHECK(shown.reason().since().seconds() == 1767603600);
  CHECK(shown.reason().last_error() == "no answer");
  CHECK(shown.reason().help() == "look at the host");
  CHECK(shown.operation_id() == "op");
  CHECK(shown.fault().message() == "failed");
}

TEST_CASE("an instance shows its configuration group", "[unit][gateway]") {
  v1::Instance instance = FullInstance();
  CHECK_FALSE(InstanceView(instance, AskedFor("/")).instance().has_configuration());
  instance.set_configuration_id("c7");
  instance.set_configuration_name("tuned");
  const rest::v1::InstanceConfiguration shown =
      InstanceView(instance, AskedFor("/")).instance().configuration();
  CHECK(shown.id() == "c7");
  CHECK(shown.name() == "tuned");
  CHECK(shown.links(0).href() == "https://h:8779/v1.0/p/configurations/c7");
}

TEST_CASE("a configuration group hides what looks like a password", "[unit][gateway]") {
  v1::Configuration group;
  (*group.mutable_values())["max_connections"] = "300";
  (*group.mutable_values())["Admin_Password_Hash"] = R"("geheim")";
  const auto values = ConfigurationView(group, AskedFor("/")).configuration().values();
  CHECK(values.at("max_connections") == "300");
  CHECK(values.at("Admin_Password_Hash") == R"("***")");
}

TEST_CASE("operations are asked for by the states that there are", "[unit][gateway]") {
  rest::v1::ListOperationsRequest document;
  document.set_state("running,WAITING");
  const auto request = ToListOperations(document, AskedFor("/"));
  REQUIRE(request.ok());
  CHECK(request->states_size() == 2);
  CHECK(request->states(0) == v1::Operation::STATE_RUNNING);
  CHECK(request->states(1) == v1::Operation::STATE_WAITING);
  for (const char* bad : {"nonsense", "UNSPECIFIED", "RUNNING,", "RUNNING,,WAITING", "1", "\xff"}) {
    CAPTURE(bad);
    document.set_state(bad);
    const auto refused = ToListOperations(document, AskedFor("/"));
    if (std::string(bad) == "RUNNING,") {
      CHECK(refused.ok());  // a comma too many means nothing
    } else {
      CHECK(ReasonOf(refused.status()).rest_status == 400);
    }
  }
}

TEST_CASE("an operation shows where it is", "[unit][gateway]") {
  v1::Operation operation;
  operation.set_id("op");
  operation.set_kind("instance.create");
  operation.set_resource("instances/i");
  operation.set_state(v1::Operation::STATE_WAITING);
  operation.set_version(7);
  operation.set_reason("the guest agent");
  operation.add_steps()->set_name("volume");
  operation.add_steps()->set_name("prepare");
  operation.mutable_steps(1)->set_state(v1::Operation::Step::STATE_RUNNING);
  operation.set_current_step(1);
  Asked asked = AskedFor("/v1.0/p/operations/op");
  const rest::v1::Operation shown = OperationView(operation, asked).operation();
  CHECK(shown.state() == "WAITING");
  CHECK(shown.step() == "prepare");
  CHECK(shown.instance_id() == "i");
  CHECK(shown.steps(1).state() == "RUNNING");
  CHECK_FALSE(shown.has_finished());
  CHECK(shown.links(0).href() == "https://h:8779/v1.0/p/operations/op");
  CHECK(OperationEvent(operation, asked)->id == "7");
  CHECK_FALSE(SeenToItsEnd(operation, asked));

  asked.last_event_id = "6";
  CHECK(OperationEvent(operation, asked).has_value());
  asked.last_event_id = "7";
  CHECK_FALSE(OperationEvent(operation, asked).has_value());
  CHECK_FALSE(SeenToItsEnd(operation, asked));
  operation.set_state(v1::Operation::STATE_FAILED);
  operation.set_current_step(2);
  CHECK(SeenToItsEnd(operation, asked));
  CHECK(OperationView(operation, asked).operation().step().empty());
  asked.last_event_id = "x";
  CHECK(ReasonOf(ToGetOperation({}, asked).status()).rest_status == 400);
}

TEST_CASE("a watch begins after the header, after the query, or now", "[unit][gateway]") {
  rest::v1::WatchEventsRequest document;
  Asked asked = AskedFor("/");
  CHECK_FALSE(ToWatchEvents(document, asked)->has_after_position());
  document.set_after(0);
  CHECK(ToWatchEvents(document, asked)->has_after_position());
  asked.last_event_id = "9";
  CHECK(ToWatchEvents(document, asked)->after_position() == 9);
  CHECK(ToCheckEvents(document, asked)->after_position() == 9);
  for (const char* bad : {"-1", "x", "9 ", "99999999999999999999"}) {
    CAPTURE(bad);
    asked.last_event_id = bad;
    CHECK(ReasonOf(ToCheckEvents(document, asked).status()).rest_status == 400);
  }
}

TEST_CASE("a plan says what it knows", "[unit][gateway]") {
  v1::OperationPlan plan;
  plan.add_steps()->mutable_expected()->set_nanos(500'000'000);
  plan.add_steps();
  const rest::v1::Plan shown = PlanView(plan).plan();
  CHECK(shown.steps(0).expected_seconds() == Approx(0.5));
  CHECK_FALSE(shown.steps(1).has_expected_seconds());
  CHECK_FALSE(shown.has_expected_downtime_seconds());
}

TEST_CASE("each document has its own names for the api's fields", "[unit][gateway]") {
  CHECK(MessageOf(ResizeError(FieldError("size_gib", "is small"))) ==
        "Validation error: resize['volume']['size'] is small");
  CHECK(MessageOf(ResizeError(FieldError("flavor_id", "is none"))) ==
        "Validation error: resize['flavorRef'] is none");
  CHECK(MessageOf(ChangeError(FieldError("datastore_version", "is none"))) ==
        "Validation error: instance['datastore_version'] is none");
  CHECK(MessageOf(ChangeError(FieldError("configuration_id", "is none"))) ==
        "Validation error: instance['configuration'] is none");
  CHECK(MessageOf(QueryError(FieldError("after_position", "is late"))) ==
        "Validation error: after is late");
  CHECK(MessageOf(QueryError(FieldError("page_token", "is bad"))) ==
        "Validation error: marker is bad");
  CHECK(MessageOf(ConfigurationError(FieldError("values.port", "is reserved"))) ==
        "Validation error: configuration['values']['port'] is reserved");
  CHECK(MessageOf(ConfigurationError(FieldError("datastore_version", "is none"))) ==
        "Validation error: configuration['datastore']['version'] is none");
}

TEST_CASE("a page is sorted by age and leads to the next one", "[unit][gateway]") {
  v1::ListInstancesResponse page;
  for (const auto& [id, created] : {std::pair<std::string, int>{"a", 20}, {"b", 30}, {"c", 10}}) {
    v1::Instance* instance = page.add_instances();
    *instance = FullInstance();
    instance->set_id(id);
    instance->mutable_created_at()->set_seconds(created);
  }
  const Asked asked = AskedFor("/v1.0/p/instances?limit=3");
  rest::v1::ListInstancesResponse document = InstancesView(page, asked);
  CHECK(document.instances(0).id() == "b");
  CHECK(document.instances(1).id() == "a");
  CHECK(document.instances(2).id() == "c");
  CHECK(document.links_size() == 0);

  page.set_next_page_token("c");
  document = InstancesView(page, asked);
  REQUIRE(document.links_size() == 1);
  CHECK(document.links(0).rel() == "next");
  CHECK(document.links(0).href() == "https://h:8779/v1.0/p/instances?limit=3&marker=c");
  CHECK(document.instances_links_size() == 1);
}

TEST_CASE("a field that the api refuses is named as the client wrote it", "[unit][gateway]") {
  const auto [field, want] = GENERATE(table<std::string, std::string>({
      {"name", "instance['name']"},
      {"instance.name", "instance['name']"},
      {"volume_size_gib", "instance['volume']['size']"},
      {"datastore", "instance['datastore']['type']"},
      {"users[0].name", "instance['users'][0]['name']"},
      {"users[12].databases[3]", "instance['users'][12]['databases'][3]"},
      {"databases[0].collation", "instance['databases'][0]['collate']"},
      {"access.allowed_cidrs[1]", "instance['access']['allowed_cidrs'][1]"},
      {"odd[", "instance['odd']["},
      {"", "instance"},
  }));
  CAPTURE(field);
  CHECK(InstancePath(field) == want);
  const absl::Status told = InstanceError(FieldError(field, "is wrong"));
  CHECK(MessageOf(told) == "Validation error: " + want + " is wrong");
  CHECK(ReasonOf(told).reason == Reason::kInvalidField);
}

TEST_CASE("an error with words of its own keeps them", "[unit][gateway]") {
  const absl::Status error =
      MakeError(Reason::kFlavorUnknown, "no flavor 9", {.violations = {{"flavor_id", "other"}}});
  CHECK(InstanceError(error) == error);
  CHECK(InstanceError(absl::NotFoundError("x")) == absl::NotFoundError("x"));
}

TEST_CASE("a flavor's id is a number where it can be one", "[unit][gateway]") {
  const auto [id, number] = GENERATE(table<std::string, std::int64_t>({
      {"2", 2},
      {"0", 0},
      {"02", -1},
      {"m1.small", -1},
      {"-2", -1},
      {"", -1},
      {"99999999999999999999", -1},
  }));
  CAPTURE(id);
  v1::Flavor flavor;
  flavor.set_id(id);
  flavor.set_ram_mib(512);
  const rest::v1::Flavor shown = FlavorView(flavor, AskedFor("/")).flavor();
  CHECK(shown.has_id() == (number >= 0));
  if (number >= 0) CHECK(shown.id() == number);
  CHECK(shown.str_id() == id);
  CHECK(shown.ram() == 512);
}

TEST_CASE("a datastore names its default version only when it lists it", "[unit][gateway]") {
  v1::Datastore datastore;
  datastore.set_id("d");
  datastore.set_default_version_id("v2");
  v1::DatastoreVersion* version = datastore.add_versions();
  version->set_id("v1");
  version->set_version_number("10.11.6");
  rest::v1::Datastore shown = DatastoreView(datastore, AskedFor("/")).datastore();
  CHECK_FALSE(shown.has_default_version());
  CHECK(shown.versions(0).version() == "10.11.6");
  CHECK_FALSE(shown.versions(0).has_datastore());
  CHECK(shown.versions(0).links(0).href() == "https://h:8779/v1.0/p/datastores/versions/v1");

  version->set_id("v2");
  shown = DatastoreView(datastore, AskedFor("/")).datastore();
  CHECK(shown.default_version() == "v2");

  version->set_datastore_id("d");
  CHECK(DatastoreVersionView(*version, AskedFor("/")).version().datastore() == "d");
}

TEST_CASE("a version asked for by an unknown id is a bad request", "[unit][gateway]") {
  CHECK(ReasonOf(VersionByIdError(MakeError(Reason::kVersionNotFound, "m"))).rest_status == 400);
  CHECK(ReasonOf(VersionByIdError(MakeError(Reason::kUnavailable, "m"))).rest_status == 503);
}

TEST_CASE("limits are one row, and what has no quota is unlimited", "[unit][gateway]") {
  v1::Limits limits;
  v1::Quota* quota = limits.add_quotas();
  quota->set_resource("instances");
  quota->set_limit(10);
  quota = limits.add_quotas();
  quota->set_resource("volumes");
  quota->set_limit(40);
  const rest::v1::ListLimitsResponse document = LimitsView(limits, AskedFor("/"));
  REQUIRE(document.limits_size() == 1);
  CHECK(document.limits(0).verb() == "ABSOLUTE");
  CHECK(document.limits(0).max_instances() == 10);
  CHECK(document.limits(0).max_volumes() == 40);
  CHECK(document.limits(0).max_ram() == -1);
  CHECK(document.limits(0).max_backups() == -1);
  CHECK_FALSE(document.limits(0).has_uri());
}

TEST_CASE("the version's link has the request's scheme and host", "[unit][gateway]") {
  CHECK(VersionsView(AskedFor("/")).versions(0).links(0).href() == "http://h:8779/v1.0/");
}

}  // namespace trove::gateway
