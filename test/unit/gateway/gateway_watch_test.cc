// Watches: Server-Sent Events from end to end.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>

#include "libtrove/model/errors.h"
#include "test/support/eventually.h"
#include "test/unit/gateway/rest_fixture.h"

namespace trove::gateway {
namespace {

// One client that watches.
class Watch {
 public:
  Watch(const Rest& rest, const std::string& target, const std::string& headers = "")
      : client_(rest.port()), events_(client_) {
    client_.Send("GET " + target + " HTTP/1.1\r\nHost: h\r\nX-Auth-Token: member\r\n" + headers +
                 "\r\n");
  }
  RawResponse Head() { return client_.Receive(); }
  /// Whether the watch began.
  bool Begins() { return Head().status == 200; }
  std::optional<RawEvent> Next(absl::Duration within = absl::Seconds(10)) {
    return events_.Next(within);
  }
  bool Closed() { return client_.Closed(); }

 private:
  RawClient client_;
  EventReader events_;
};

v1::Operation OperationAt(std::int64_t version, v1::Operation::State state) {
  v1::Operation operation;
  operation.set_id("op");
  operation.set_project_id("p");
  operation.set_kind("instance.create");
  operation.set_resource("instances/i");
  operation.set_state(state);
  operation.set_version(version);
  if (state == v1::Operation::STATE_SUCCEEDED) operation.mutable_finished_at()->set_seconds(1);
  return operation;
}

// Waits until the api has `count` watches: whoever watches from now on must be there first.
void AwaitWatches(Rest& rest, std::size_t count) {
  REQUIRE(Eventually(absl::Seconds(20), [&] { return rest.api().watches() == count; }));
}

}  // namespace

TEST_CASE("an operation is watched to its end", "[unit][gateway]") {
  Rest rest;
  rest.api().SetOperation(OperationAt(1, v1::Operation::STATE_RUNNING));
  Watch watch(rest, "/v1.0/p/operations/op/watch");
  const RawResponse head = watch.Head();
  CHECK(head.status == 200);
  CHECK(head.Header("Content-Type") == "text/event-stream");
  CHECK(head.Header("Cache-Control") == "no-cache");
  CHECK(head.Header("X-Openstack-Request-Id").rfind("req-", 0) == 0);
  const auto first = watch.Next();
  REQUIRE(first.has_value());
  CHECK(first->id == "1");
  CHECK(first->type == "operation");
  const std::string host = "h";  // as the watch named it, for the links
  CHECK(first->data == Exchange(rest.port(),
                                "GET /v1.0/p/operations/op HTTP/1.1\r\nHost: " + host +
                                    "\r\nX-Auth-Token: member\r\n\r\n")
                           .body);
  rest.api().SetOperation(OperationAt(2, v1::Operation::STATE_WAITING));
  CHECK(watch.Next()->id == "2");
  rest.api().SetOperation(OperationAt(3, v1::Operation::STATE_SUCCEEDED));
  const auto last = watch.Next();
  REQUIRE(last.has_value());
  CHECK(TextAt(json::parse(last->data), {"operation", "state"}) == "SUCCEEDED");
  CHECK_FALSE(watch.Next().has_value());
  CHECK(watch.Closed());
  CHECK(Eventually(absl::Seconds(10), [&] { return rest.api().watches() == 0; }));

  // A browser connects again: it has seen everything, and learns that it may stop.
  Watch again(rest, "/v1.0/p/operations/op/watch", "Last-Event-ID: 3\r\n");
  CHECK(again.Head().status == 204);
  Watch missed(rest, "/v1.0/p/operations/op/watch", "Last-Event-ID: 2\r\n");
  CHECK(missed.Begins());
  CHECK(missed.Next()->id == "3");
  Watch odd(rest, "/v1.0/p/operations/op/watch", "Last-Event-ID: x\r\n");
  CHECK(odd.Head().status == 400);
}

TEST_CASE("a watch is refused before it begins", "[unit][gateway]") {
  Rest rest;
  for (const std::string path : {"/v1.0/p/operations/op/watch", "/v1.0/p/events/watch"}) {
    CAPTURE(path);
    CHECK(rest.As("wrong", "GET " + path).status == 401);
    CHECK(rest.Raw("GET " + path, "", "").status == 401);
  }
  CHECK(rest("GET /v1.0/other/events/watch").status == 403);
  CHECK(rest("GET /v1.0/p/operations/nope/watch").status == 404);
  CHECK(rest("GET /v1.0/p/events/watch?after=1").status == 410);
  CHECK(rest.With("Last-Event-ID: 1", "GET /v1.0/p/events/watch?after=9").status == 410);
}

TEST_CASE("events are watched from now, from a position, or from where one was",
          "[unit][gateway]") {
  Rest rest;
  rest.api().Publish("instances/i", R"({"n": 1})");     // 5
  rest.api().Publish("instances/j", "{\n\"n\": 2\n}");  // 6

  Watch now(rest, "/v1.0/p/events/watch");
  CHECK(now.Begins());
  AwaitWatches(rest, 1);
  rest.api().Publish("instances/i", "");  // 7
  const auto event = now.Next();
  REQUIRE(event.has_value());
  CHECK(event->id == "7");
  CHECK(event->type == "trove.instance.created");
  CHECK(TextAt(json::parse(event->data), {"id"}) == "e7");

  Watch all(rest, "/v1.0/p/events/watch?after=0");
  CHECK(all.Begins());
  CHECK(all.Next()->id == "5");
  const auto broken = all.Next();  // over several lines, and one again here
  CHECK(json::parse(broken->data).at("data").at("n").as_int64() == 2);
  CHECK(all.Next()->id == "7");

  Watch resumed(rest, "/v1.0/p/events/watch?after=0", "Last-Event-ID: 6\r\n");
  CHECK(resumed.Begins());
  CHECK(resumed.Next()->id == "7");

  Watch one(rest, "/v1.0/p/events/watch?after=0&subject=instances/j");
  CHECK(one.Begins());
  CHECK(one.Next()->id == "6");
  CHECK_FALSE(one.Next(absl::Milliseconds(50)).has_value());
}

TEST_CASE("a silent watch has heartbeats", "[unit][gateway]") {
  GatewayOptions options;
  options.heartbeat_interval = absl::Milliseconds(20);
  Rest rest(options);
  Watch watch(rest, "/v1.0/p/events/watch");
  CHECK(watch.Begins());
  for (int i = 0; i < 3; ++i)
    CHECK(watch.Next()->other == ":");
}

TEST_CASE("a client that leaves ends its watch in the api", "[unit][gateway]") {
  Rest rest;
  auto watch = std::make_unique<Watch>(rest, "/v1.0/p/events/watch");
  CHECK(watch->Begins());
  AwaitWatches(rest, 1);
  watch.reset();
  AwaitWatches(rest, 0);
}

TEST_CASE("a client that does not read is dropped and holds up nobody", "[unit][gateway]") {
  HttpOptions http;
  http.write_timeout = absl::Milliseconds(500);
  Rest rest({}, http);
  Watch slow(rest, "/v1.0/p/events/watch?subject=instances/big");
  CHECK(slow.Begins());
  Watch other(rest, "/v1.0/p/events/watch?subject=instances/i");
  CHECK(other.Begins());
  AwaitWatches(rest, 2);
  const std::string large = R"({"x": ")" + std::string(512 * 1024, 'x') + R"("})";
  for (int i = 0; i < 100 && rest.api().watches() == 2; ++i)
    rest.api().Publish("instances/big", large);
  AwaitWatches(rest, 1);
  rest.api().Publish("instances/i", "{}");
  CHECK(other.Next()->type == "trove.instance.created");
}

TEST_CASE("a hundred clients watch at once", "[unit][gateway]") {
  Rest rest;
  std::vector<std::unique_ptr<Watch>> watches;
  watches.reserve(100);
  for (int i = 0; i < 100; ++i)
    watches.push_back(std::make_unique<Watch>(rest, "/v1.0/p/events/watch"));
  for (const auto& watch : watches)
    REQUIRE(watch->Begins());
  AwaitWatches(rest, 100);
  // Others are served meanwhile.
  CHECK(rest("GET /v1.0/p/flavors").status == 200);
  for (int i = 0; i < 5; ++i)
    rest.api().Publish("instances/i", "{}");
  for (const auto& watch : watches) {
    for (int i = 0; i < 5; ++i) {
      const auto event = watch->Next();
      REQUIRE(event.has_value());
      CHECK(event->id == std::to_string(5 + i));
    }
  }
  watches.clear();
  AwaitWatches(rest, 0);
}

TEST_CASE("more watches than allowed are told to come back", "[unit][gateway]") {
  HttpOptions http;
  http.max_streams = 1;
  Rest rest({}, http);
  Watch watch(rest, "/v1.0/p/events/watch");
  CHECK(watch.Begins());
  const RawResponse refused = rest("GET /v1.0/p/events/watch");
  CHECK(refused.status == 503);
  CHECK(refused.Header("Retry-After") == "5");
}

TEST_CASE("an api that goes away ends a watch with the time to come back", "[unit][gateway]") {
  Rest rest;
  Watch watch(rest, "/v1.0/p/events/watch");
  CHECK(watch.Begins());
  AwaitWatches(rest, 1);
  rest.api().EndWatches(MakeError(Reason::kUnavailable, "the service is stopping"));
  CHECK(watch.Next()->other == "retry: 1000");
  CHECK_FALSE(watch.Next().has_value());
}

TEST_CASE("a watch that fails says why", "[unit][gateway]") {
  Rest rest;
  Watch watch(rest, "/v1.0/p/events/watch");
  CHECK(watch.Begins());
  AwaitWatches(rest, 1);
  rest.api().EndWatches(MakeError(Reason::kOverloaded, "too many watches"));
  const auto fault = watch.Next();
  REQUIRE(fault.has_value());
  CHECK(fault->type == "fault");
  CHECK(fault->id.empty());  // nothing to go on from
  CHECK(fault->data == R"({"serviceUnavailable":{"code":503,"message":"too many watches"}})");
  CHECK(watch.Next()->other == "retry: 10000");
  CHECK_FALSE(watch.Next().has_value());
}

TEST_CASE("a server that drains tells watches to come back", "[unit][gateway]") {
  Rest rest;
  Watch watch(rest, "/v1.0/p/events/watch");
  CHECK(watch.Begins());
  AwaitWatches(rest, 1);
  rest.server().Drain(absl::Seconds(30));
  CHECK(watch.Next()->other == "retry: 1000");
  CHECK_FALSE(watch.Next().has_value());
  AwaitWatches(rest, 0);
}

TEST_CASE("a gateway that stops ends its watches", "[unit][gateway]") {
  auto rest = std::make_unique<Rest>();
  Watch watch(*rest, "/v1.0/p/events/watch");
  CHECK(watch.Begins());
  AwaitWatches(*rest, 1);
  rest.reset();
  CHECK(watch.Closed());
}

TEST_CASE("HEAD of a watch asks whether one may watch", "[unit][gateway]") {
  Rest rest;
  RawClient client(rest.port());
  client.Send("HEAD /v1.0/p/events/watch HTTP/1.1\r\nHost: h\r\nX-Auth-Token: member\r\n\r\n");
  CHECK(client.Receive(RawClient::Body::kNone).status == 200);
  CHECK(client.Closed());
  CHECK(rest.api().watches() == 0);
}

TEST_CASE("HTTP/1.0 can watch too", "[unit][gateway]") {
  Rest rest;
  rest.api().SetOperation(OperationAt(3, v1::Operation::STATE_SUCCEEDED));
  RawClient client(rest.port());
  client.Send(
      "GET /v1.0/p/operations/op/watch HTTP/1.0\r\nHost: h\r\nX-Auth-Token: member\r\n\r\n");
  CHECK(client.Receive().status == 200);
  AwaitWatches(rest, 1);
  rest.api().EndWatches(absl::OkStatus());
  const std::string all = client.ReceiveAll();
  CHECK(all.rfind("id: 3\nevent: operation\ndata: {\"operation\":", 0) == 0);
}

}  // namespace trove::gateway
