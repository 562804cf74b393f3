#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/identity/token.h"
#include "libtrove/model/errors.h"
#include "libtrove/rpc/stream.h"
#include "test/support/eventually.h"
#include "test/unit/api/served_api.h"

namespace trove::api {
namespace {

using Instances = v1::InstanceService::Stub;
using Stub = v1::EventService::Stub;

// Renames it `times` times: an event each.
void Rename(const Actor& owner, const v1::Instance& instance, int times, const std::string& to) {
  for (int i = 0; i < times; ++i) {
    v1::UpdateInstanceRequest request;
    request.mutable_instance()->set_id(instance.id());
    request.mutable_instance()->set_name(to + std::to_string(i));
    request.mutable_update_mask()->add_paths("name");
    REQUIRE(owner(&Instances::UpdateInstance, request).ok());
  }
}

TEST_CASE("events are listed in order, by project and by resource", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  const Actor other = api.ActAs("p2", "member");
  const Actor admin = api.ActAs("ops", "admin");
  const v1::Instance one = api.Active("p1");
  const v1::Instance two = api.Active("p1", "bills");
  api.Active("p2");
  const std::vector<EventRecord> all = api.Relay();

  v1::ListEventsRequest request;
  request.set_page_size(100);
  const auto mine = owner(&Stub::ListEvents, request);
  INFO(mine.status());
  REQUIRE(mine.ok());
  REQUIRE(mine->events_size() > 4);
  std::int64_t last = 0;
  for (const v1::Event& event : mine->events()) {
    CHECK(event.position() > last);
    CHECK(event.project_id() == "p1");
    CHECK(event.source() == "/trove/" + api.mesh_id());
    CHECK_FALSE(event.id().empty());
    CHECK(event.has_time());
    last = event.position();
  }
  const auto created = std::find_if(mine->events().begin(), mine->events().end(), [](auto& event) {
    return event.type() == "trove.instance.created";
  });
  REQUIRE(created != mine->events().end());
  CHECK(created->subject() == "instances/" + one.id());
  CHECK(mine->newest_position() == all.back().position);
  CHECK(mine->next_position() == all.back().position);

  request.set_subject("instances/" + two.id());
  const auto of_two = owner(&Stub::ListEvents, request);
  REQUIRE(of_two->events_size() >= 2);
  for (const v1::Event& event : of_two->events())
    CHECK(event.subject() == "instances/" + two.id());
  request.set_subject("operations");
  const auto of_operations = owner(&Stub::ListEvents, request);
  for (const v1::Event& event : of_operations->events())
    CHECK(event.subject().starts_with("operations/"));

  request.Clear();
  request.set_page_size(2);
  const auto page = owner(&Stub::ListEvents, request);
  REQUIRE(page->events_size() == 2);
  CHECK(page->next_position() == page->events(1).position());
  request.set_after_position(page->next_position());
  CHECK(owner(&Stub::ListEvents, request)->events(0).position() > page->next_position());

  request.Clear();
  request.set_all_projects(true);
  request.set_page_size(100);
  CHECK(admin(&Stub::ListEvents, request)->events_size() == static_cast<int>(all.size()));
  CHECK(absl::IsPermissionDenied(owner(&Stub::ListEvents, request).status()));
  CHECK(other(&Stub::ListEvents, {})->events_size() > 0);
}

TEST_CASE("a bad filter of events is refused", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  for (const char* subject : {"/", "instances/", "instances/a/b", "in stances"}) {
    CAPTURE(subject);
    v1::ListEventsRequest request;
    request.set_subject(subject);
    CHECK(ReasonOf(owner(&Stub::ListEvents, request).status()).reason == Reason::kInvalidField);
  }
  v1::ListEventsRequest request;
  request.set_after_position(-1);
  CHECK(ReasonOf(owner(&Stub::ListEvents, request).status()).reason == Reason::kInvalidField);
  v1::WatchEventsRequest watch;
  watch.set_after_position(-1);
  client::Client client = api.As("p1", "member");
  CHECK(ReasonOf(client.WatchEvents(SoonCall(), watch, [](const v1::Event&) {
          return true;
        })).reason == Reason::kInvalidField);
}

TEST_CASE("what is forgotten is said to be gone", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  const v1::Instance one = api.Active("p1");
  const std::int64_t old = api.Relay().back().position;
  Rename(owner, one, 3, "a");
  const std::int64_t gone = api.Relay().back().position;
  REQUIRE(api.store().MarkPublished(SoonCall(), api.Worker(), gone).ok());
  api.clock().Advance(absl::Hours(24 * 8));
  api.Active("p1", "bills");
  const std::int64_t newest = api.Relay().back().position;
  REQUIRE(api.store().MarkPublished(SoonCall(), api.Worker(), newest).ok());

  // The token was for a year: the owner is still known.
  v1::ListEventsRequest request;
  request.set_after_position(old);
  CHECK(ReasonOf(owner(&Stub::ListEvents, request).status()).reason == Reason::kEventsGone);
  v1::WatchEventsRequest watch;
  watch.set_after_position(old);
  client::Client client = api.As("p1", "member");
  CHECK(ReasonOf(client.WatchEvents(SoonCall(), watch, [](const v1::Event&) {
          return true;
        })).reason == Reason::kEventsGone);
}

TEST_CASE("a watch goes on from a position, each event once and in order", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  client::Client client = api.As("p1", "member");
  const v1::Instance one = api.Active("p1");
  Rename(owner, one, 200, "a");
  const std::size_t total = [&] {
    std::size_t mine = 0;
    for (const EventRecord& event : api.Relay())
      mine += event.project_id == ProjectId("p1") ? 1 : 0;
    return mine;
  }();

  std::vector<std::int64_t> positions;
  v1::WatchEventsRequest watch;
  watch.set_after_position(0);
  // Leaves after some, and comes back for the rest.
  REQUIRE(client
              .WatchEvents(SoonCall(),
                           watch,
                           [&](const v1::Event& event) {
                             positions.push_back(event.position());
                             return positions.size() < 70;
                           })
              .ok());
  watch.set_after_position(positions.back());
  REQUIRE(client
              .WatchEvents(SoonCall(),
                           watch,
                           [&](const v1::Event& event) {
                             positions.push_back(event.position());
                             return positions.size() < total;
                           })
              .ok());
  CHECK(positions.size() == total);
  CHECK(std::is_sorted(positions.begin(), positions.end()));
  CHECK(std::adjacent_find(positions.begin(), positions.end()) == positions.end());
}

TEST_CASE("a watch from now on hears what happens from now on, of its own alone", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  const Actor stranger = api.ActAs("p2", "member");
  const v1::Instance one = api.Active("p1");
  const v1::Instance theirs = api.Active("p2");
  api.Relay();
  client::Client client = api.As("p1", "member");
  std::atomic<int> heard = 0;
  std::string names;
  std::thread watcher([&] {
    v1::WatchEventsRequest watch;
    watch.set_subject("instances");
    client
        .WatchEvents(SoonCall(),
                     watch,
                     [&](const v1::Event& event) {
                       if (event.type() == "trove.instance.updated") {
                         names += event.data();
                         ++heard;
                       }
                       return heard < 3;
                     })
        .IgnoreError();  // what it heard is checked
  });
  // The watch has begun when it hears: until then there is something new to hear each time.
  int renamed = 0;
  CHECK(Eventually(absl::Seconds(10), [&] {
    if (heard == 0) {
      Rename(owner, one, 1, "early" + std::to_string(renamed++));
      Rename(stranger, theirs, 1, "foreign" + std::to_string(renamed));
      api.Relay();
    }
    return heard > 0;
  }));
  Rename(owner, one, 3, "late");
  api.Relay();
  watcher.join();
  CHECK(heard == 3);
  CHECK(names.find("foreign") == std::string::npos);
}

TEST_CASE("a reader that does not read delays nobody", "[unit][api]") {
  ServedApi api;
  const Actor owner = api.ActAs("p1", "member");
  const v1::Instance one = api.Active("p1");
  EventWatcher watcher(api.store(), "/trove/test");
  // Streams without gRPC behind them: what is written stays in their buffers.
  using State = rpc::StreamState<v1::Event>;
  const Call call = CallFor(absl::Seconds(60));
  Rename(owner, one, 30, "a");
  const std::size_t total = api.Relay(/*publish=*/false).size();
  const rpc::Stream<v1::Event> slow(
      std::make_shared<State>("r1", std::stop_source(), rpc::StreamOptions{4}));
  watcher.Watch(call, {}, 0, slow);
  // Half of its room is not free any more when it has got everything.
  const rpc::Stream<v1::Event> quick(
      std::make_shared<State>("r2", std::stop_source(), rpc::StreamOptions{2 * (total - 1) + 1}));
  watcher.Watch(call, {}, 0, quick);
  CHECK(Eventually(absl::Seconds(5), [&] {
    const auto writable = std::make_shared<std::atomic<bool>>(false);
    quick.WhenWritable([writable] { *writable = true; });
    return !*writable;
  }));
  CHECK(absl::IsResourceExhausted(slow.TryWrite({})));
}

TEST_CASE("a watch ends with the token that began it", "[unit][api]") {
  ServedApi api;
  const Secret token("trv_of_a_moment");
  REQUIRE(api.store()
              .PutToken(SoonCall(),
                        {.hash = identity::HashToken(token),
                         .project_id = ProjectId("p1"),
                         .user = "u",
                         .roles = {"member"},
                         .expires_at = absl::Now() + absl::Milliseconds(500)})
              .ok());
  client::Client client = api.WithToken(token);
  // By the service's clock, which stands still, the token is good all the while.
  const Call call = CallFor(absl::Seconds(30));
  const absl::Status ended = client.WatchEvents(call, {}, [](const v1::Event&) { return true; });
  CHECK(absl::IsDeadlineExceeded(ended));
  CHECK(call.Check().ok());
}

TEST_CASE("there are only so many watches", "[unit][api]") {
  ServedApi api;
  EventWatcher watcher(api.store(), "/trove/test");
  using State = rpc::StreamState<v1::Event>;
  std::vector<rpc::Stream<v1::Event>> streams;
  const Call call = CallFor(absl::Seconds(60));
  for (std::size_t i = 0; i <= EventWatcher::kMostWatches; ++i) {
    streams.emplace_back(std::make_shared<State>("r", std::stop_source(), rpc::StreamOptions{}));
    watcher.Watch(call, {}, 0, streams.back());
  }
  CHECK(streams.front().TryWrite({}).ok());
  CHECK(absl::IsFailedPrecondition(streams.back().TryWrite({})));
}

}  // namespace
}  // namespace trove::api
