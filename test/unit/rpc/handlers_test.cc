#include "libtrove/rpc/handlers.h"

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <catch2/catch.hpp>

#include "trove/v1/error.pb.h"

#include "libtrove/base/status.h"
#include "libtrove/model/errors.h"
#include "test/support/eventually.h"
#include "test/unit/rpc/echo_server.h"

namespace trove::rpc {
namespace {

using Method = grpc::Status (EchoService::Stub::*)(grpc::ClientContext*,
                                                   const EchoRequest&,
                                                   EchoResponse*);

// A gate that handlers wait at until the test opens it.
class Gate {
 public:
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void Pass() {
    std::unique_lock lock(mutex_);
    waiting_ += 1;
    changed_.wait(lock, [this] { return open_; });
  }
  int waiting() {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int waiting_ = 0;
};

// Replies that a test answers itself.
class Kept {
 public:
  void Keep(const Call& call, const Reply<EchoResponse>& reply) {
    const std::lock_guard lock(mutex_);
    calls_.push_back(call);
    replies_.push_back(reply);
  }
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return replies_.size();
  }
  Call call(std::size_t i) {
    const std::lock_guard lock(mutex_);
    return calls_.at(i);
  }
  std::vector<Reply<EchoResponse>> Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(replies_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<Call> calls_;
  std::vector<Reply<EchoResponse>> replies_;
};

std::ptrdiff_t ThreadsOfThisProcess() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return std::distance(begin(tasks), end(tasks));
}

TEST_CASE("inline and pooled handlers echo and pass errors on", "[unit][rpc]") {
  EchoBehaviour behaviour;
  behaviour.unary = [](const Call&,
                       const Caller&,
                       const EchoRequest& request,
                       EchoResponse* response) -> absl::Status {
    if (request.text() == "refuse") return FieldError("text", "must not be \"refuse\"");
    if (request.text() == "break") return absl::InternalError("the disk is on fire");
    if (request.text() == "throw") throw std::runtime_error("thrown on purpose");
    if (request.text() == "throw 4") throw 4;
    response->set_text(request.text());
    return absl::OkStatus();
  };
  EchoServer echo(behaviour);
  const auto stub = echo.Echo();
  const Method method = GENERATE(Method(&EchoService::Stub::Inline), &EchoService::Stub::Pooled);
  const auto send = [&](std::string text) {
    return CallUnary(*stub, method, Soon(), Text(std::move(text)));
  };

  const auto response = send("hello");
  REQUIRE(response.ok());
  CHECK(response->text() == "hello");

  const absl::Status refused = send("refuse").status();
  CHECK(absl::IsInvalidArgument(refused));
  CHECK(ReasonOf(refused).reason == Reason::kInvalidField);

  for (const char* text : {"break", "throw", "throw 4"}) {
    const absl::Status broken = send(text).status();
    CHECK(absl::IsInternal(broken));
    CHECK(MessageOf(broken).starts_with("internal error, request id req-"));
  }
}

TEST_CASE("deadline and request id reach the handler and the id comes back", "[unit][rpc]") {
  std::optional<Call> seen;
  EchoBehaviour behaviour;
  behaviour.unary = [&seen](const Call& call, const Caller&, const EchoRequest&, EchoResponse*) {
    seen = call;
    return absl::OkStatus();
  };
  EchoServer echo(behaviour);
  const auto stub = echo.Echo();

  SECTION("as the client sent them") {
    const Call call = CallFor(absl::Seconds(33), {}, "req-mine");
    REQUIRE(CallUnary(*stub, &EchoService::Stub::Inline, call, Text("")).ok());
    CHECK(seen->request_id == "req-mine");
    CHECK(absl::AbsDuration(seen->deadline - call.deadline) < absl::Seconds(3));
  }
  SECTION("made up when the client sent none") {
    grpc::ClientContext context;
    EchoResponse response;
    REQUIRE(stub->Pooled(&context, Text(""), &response).ok());
    CHECK(seen->request_id.starts_with("req-"));
    CHECK(seen->request_id.size() == 40);
    CHECK(seen->deadline < absl::Now() + kDefaultDeadline);
    CHECK(seen->deadline > absl::Now() + kDefaultDeadline - absl::Seconds(20));
    const auto& metadata = context.GetServerInitialMetadata();
    REQUIRE(metadata.count(kRequestIdKey) == 1);
    const grpc::string_ref returned = metadata.find(kRequestIdKey)->second;
    CHECK(std::string(returned.data(), returned.size()) == seen->request_id);
  }
  SECTION("replaced when they are not fit for a log") {
    const std::string bad =
        GENERATE(as<std::string>{}, "a b", "x\"y", "caf\xc3\xa9", std::string(65, 'a'));
    REQUIRE(
        CallUnary(*stub, &EchoService::Stub::Inline, CallFor(absl::Seconds(20), {}, bad), Text(""))
            .ok());
    CHECK(seen->request_id.starts_with("req-"));
  }
}

TEST_CASE("a full executor refuses at once and says when to come again", "[unit][rpc]") {
  Gate gate;
  EchoBehaviour behaviour;
  behaviour.unary = [&gate](const Call&, const Caller&, const EchoRequest&, EchoResponse*) {
    gate.Pass();
    return absl::OkStatus();
  };
  EchoServer echo(behaviour, /*threads=*/1, /*queue=*/1);
  const auto stub = echo.Echo();
  std::atomic<int> answered = 0;
  const auto start = [&] {
    CallUnaryAsync(*stub,
                   &EchoService::Stub::async::Pooled,
                   Soon(),
                   Text(""),
                   [&answered](const absl::StatusOr<EchoResponse>& response) {
                     if (response.ok()) answered += 1;
                   });
  };
  start();
  REQUIRE(Eventually(absl::Seconds(20), [&] { return gate.waiting() == 1; }));
  start();
  REQUIRE(Eventually(absl::Seconds(20), [&] { return echo.executor().queued() == 1; }));

  const absl::Status refused =
      CallUnary(*stub, &EchoService::Stub::Pooled, Soon(), Text("")).status();
  CHECK(absl::IsResourceExhausted(refused));
  CHECK(ReasonOf(refused).reason == Reason::kOverloaded);
  v1::ErrorDetail detail;
  REQUIRE(detail.ParseFromString(std::string(*refused.GetPayload(kErrorDetailUrl))));
  CHECK(detail.retry_after().seconds() == 1);

  gate.Open();
  CHECK(Eventually(absl::Seconds(20), [&] { return answered == 2; }));
}

TEST_CASE("pooled work whose caller has left is not started", "[unit][rpc]") {
  Gate gate;
  std::atomic<int> started = 0;
  EchoBehaviour behaviour;
  behaviour.unary = [&](const Call&, const Caller&, const EchoRequest&, EchoResponse*) {
    started += 1;
    gate.Pass();
    return absl::OkStatus();
  };
  EchoServer echo(behaviour, /*threads=*/1, /*queue=*/4);
  const auto stub = echo.Echo();
  CallUnaryAsync(*stub,
                 &EchoService::Stub::async::Pooled,
                 Soon(),
                 Text(""),
                 [](const absl::StatusOr<EchoResponse>&) {});
  REQUIRE(Eventually(absl::Seconds(20), [&] { return gate.waiting() == 1; }));

  const absl::Status left =
      CallUnary(*stub, &EchoService::Stub::Pooled, CallFor(absl::Milliseconds(200)), Text(""))
          .status();
  CHECK(absl::IsDeadlineExceeded(left));
  REQUIRE(echo.executor().queued() == 1);
  // On the same connection, so that its answer comes after the news that the other call has ended.
  REQUIRE(CallUnary(*stub, &EchoService::Stub::Later, Soon(), Text("")).ok());
  gate.Open();
  echo.executor().Drain();
  CHECK(started == 1);
}

TEST_CASE("a thousand answers can be owed without a thread for any", "[unit][rpc]") {
  constexpr int kCalls = 1000;
  Kept kept;
  EchoBehaviour behaviour;
  behaviour.later = [&kept](const Call& call, const Reply<EchoResponse>& reply) {
    kept.Keep(call, reply);
  };
  EchoServer echo(behaviour);
  const auto stub = echo.Echo();
  REQUIRE(CallUnary(*stub, &EchoService::Stub::Inline, Soon(), Text("")).ok());  // connects
  const std::ptrdiff_t threads_before = ThreadsOfThisProcess();

  std::atomic<int> answered = 0;
  for (int i = 0; i < kCalls; ++i) {
    CallUnaryAsync(*stub,
                   &EchoService::Stub::async::Later,
                   Soon(),
                   Text(""),
                   [&answered](const absl::StatusOr<EchoResponse>& response) {
                     if (response.ok() && response->text() == "late") answered += 1;
                   });
  }
  REQUIRE(Eventually(absl::Seconds(20), [&] { return kept.size() == kCalls; }));
  CHECK(ThreadsOfThisProcess() < threads_before + 20);
  CHECK(answered == 0);

  for (const Reply<EchoResponse>& reply : kept.Take()) {
    EchoResponse response;
    response.set_text("late");
    CHECK(reply.Finish(std::move(response)));
  }
  CHECK(Eventually(absl::Seconds(20), [&] { return answered == kCalls; }));
}

TEST_CASE("only the first answer of a reply counts", "[unit][rpc]") {
  EchoBehaviour behaviour;
  bool second = true;
  behaviour.later = [&second](const Call&, const Reply<EchoResponse>& reply) {
    const Reply<EchoResponse> copy = reply;
    copy.Finish(absl::NotFoundError("no such thing"));
    second = reply.Finish(EchoResponse());
    CHECK(reply.finished());
  };
  EchoServer echo(behaviour);
  const auto stub = echo.Echo();
  CHECK(absl::IsNotFound(CallUnary(*stub, &EchoService::Stub::Later, Soon(), Text("")).status()));
  CHECK_FALSE(second);
}

TEST_CASE("a reply that is dropped or thrown away is an internal error", "[unit][rpc]") {
  EchoBehaviour behaviour;
  behaviour.later = GENERATE(values<std::function<void(const Call&, Reply<EchoResponse>)>>(
      {[](const Call&, const Reply<EchoResponse>&) {},
       [](const Call&, const Reply<EchoResponse>&) {
         throw std::runtime_error("on purpose");
       }}));
  EchoServer echo(behaviour);
  const auto stub = echo.Echo();
  CHECK(absl::IsInternal(CallUnary(*stub, &EchoService::Stub::Later, Soon(), Text("")).status()));
}

TEST_CASE("a client that leaves sets the stop token of the call", "[unit][rpc]") {
  Kept kept;
  EchoBehaviour behaviour;
  behaviour.later = [&kept](const Call& call, const Reply<EchoResponse>& reply) {
    kept.Keep(call, reply);
  };
  EchoServer echo(behaviour);
  const auto stub = echo.Echo();

  std::stop_source stop;
  std::atomic<bool> cancelled = false;
  CallUnaryAsync(*stub,
                 &EchoService::Stub::async::Later,
                 CallFor(absl::Seconds(20), stop.get_token()),
                 Text(""),
                 [&cancelled](const absl::StatusOr<EchoResponse>& response) {
                   cancelled = absl::IsCancelled(response.status());
                 });
  REQUIRE(Eventually(absl::Seconds(20), [&] { return kept.size() == 1; }));
  const Call call = kept.call(0);
  CHECK(call.stop.stop_possible());
  CHECK_FALSE(call.stop.stop_requested());
  stop.request_stop();
  CHECK(Eventually(absl::Seconds(20), [&] { return cancelled.load(); }));
  CHECK(Eventually(absl::Seconds(20), [&] { return call.stop.stop_requested(); }));
  kept.Take();
}

TEST_CASE("the server's own deadline sets the stop token too", "[unit][rpc]") {
  Kept kept;
  EchoBehaviour behaviour;
  behaviour.later = [&kept](const Call& call, const Reply<EchoResponse>& reply) {
    kept.Keep(call, reply);
  };
  EchoServer echo(behaviour);
  const auto stub = echo.Echo();
  CHECK(absl::IsDeadlineExceeded(
      CallUnary(*stub, &EchoService::Stub::Later, CallFor(absl::Milliseconds(300)), Text(""))
          .status()));
  REQUIRE(kept.size() == 1);
  CHECK(Eventually(absl::Seconds(20), [&] { return kept.call(0).stop.stop_requested(); }));
  kept.Take();
}

}  // namespace
}  // namespace trove::rpc
