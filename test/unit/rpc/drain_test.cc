#include <signal.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include <catch2/catch.hpp>
#include <pthread.h>

#include "libtrove/rpc/health.h"
#include "libtrove/rpc/serve_until_signal.h"
#include "test/support/eventually.h"
#include "test/unit/rpc/echo_server.h"

namespace trove::rpc {
namespace {

// A handler that answers when told to, and one that streams.
struct Held {
  std::mutex mutex;
  std::optional<Call> call;
  std::optional<Reply<EchoResponse>> reply;
  std::optional<Stream<EchoResponse>> stream;

  EchoBehaviour Behaviour() {
    EchoBehaviour behaviour;
    behaviour.later = [this](const Call& from, const Reply<EchoResponse>& given) {
      const std::lock_guard lock(mutex);
      call = from;
      reply = given;
    };
    behaviour.count = [this](const Call&, const Stream<EchoResponse>& given) {
      const std::lock_guard lock(mutex);
      stream = given;
    };
    return behaviour;
  }
  bool has_reply() {
    const std::lock_guard lock(mutex);
    return reply.has_value();
  }
  bool has_stream() {
    const std::lock_guard lock(mutex);
    return stream.has_value();
  }
};

struct Asking {
  explicit Asking(EchoServer& echo) : stub(echo.Echo()) {
    CallUnaryAsync(*stub,
                   &EchoService::Stub::async::Later,
                   CallFor(absl::Seconds(60)),
                   Text(""),
                   [this](const absl::StatusOr<EchoResponse>& response) {
                     code = response.status().code();
                     done = true;
                   });
  }
  bool Done() {
    return Eventually(absl::Seconds(20), [this] { return done.load(); });
  }

  std::unique_ptr<EchoService::Stub> stub;
  std::atomic<absl::StatusCode> code;
  std::atomic<bool> done = false;
};

TEST_CASE("a drain lets running calls finish and takes no new ones", "[unit][rpc]") {
  Held held;
  EchoServer echo(held.Behaviour());
  Asking asking(echo);
  REQUIRE(Eventually(absl::Seconds(20), [&] { return held.has_reply(); }));
  std::jthread drain([&] { echo.server().Drain(absl::Seconds(60)); });

  const auto stub = echo.Echo();
  CHECK(Eventually(absl::Seconds(20), [&] {
    return absl::IsUnavailable(
        CallUnary(*stub, &EchoService::Stub::Inline, Soon(), Text("")).status());
  }));
  CHECK_FALSE(asking.done);
  held.reply->Finish(EchoResponse());
  REQUIRE(asking.Done());
  CHECK(asking.code == absl::StatusCode::kOk);
  drain.join();
}

TEST_CASE("after its grace a drain cancels what still runs", "[unit][rpc]") {
  Held held;
  EchoServer echo(held.Behaviour());
  Asking asking(echo);
  REQUIRE(Eventually(absl::Seconds(20), [&] { return held.has_reply(); }));
  const Call call = *held.call;
  const Reply<EchoResponse> reply = *held.reply;
  const std::stop_callback answer(call.stop,
                                  [&reply] { reply.Finish(absl::CancelledError("told to stop")); });
  held.reply.reset();
  echo.server().Drain(absl::Milliseconds(100));
  CHECK(call.stop.stop_requested());
  REQUIRE(asking.Done());
  CHECK(asking.code != absl::StatusCode::kOk);
}

TEST_CASE("a drain ends streams at once and asks their clients to come again", "[unit][rpc]") {
  Held held;
  EchoServer echo(held.Behaviour());
  const auto stub = echo.Echo();
  OutgoingCall outgoing(CallFor(absl::Seconds(60)));
  const auto reader = stub->Count(outgoing.context(), Text(""));
  REQUIRE(Eventually(absl::Seconds(20), [&] { return held.has_stream(); }));

  const absl::Time start = absl::Now();
  echo.server().Drain(absl::Seconds(60));
  CHECK(absl::Now() - start < absl::Seconds(30));
  EchoResponse response;
  CHECK_FALSE(reader->Read(&response));
  CHECK(absl::IsUnavailable(FromGrpc(reader->Finish())));
}

TEST_CASE("a server serves until it is told to stop by a signal", "[unit][rpc]") {
  const int signal_number = GENERATE(SIGTERM, SIGINT);
  EchoServer echo;
  const auto stub = echo.Echo();
  std::atomic<bool> ended = false;
  std::atomic<bool> blocked = false;
  absl::Status result = absl::UnknownError("not ended");
  std::jthread main([&] {
    BlockTerminationSignals();
    blocked = true;
    result = ServeUntilSignal(echo.server(), absl::Seconds(1));
    ended = true;
  });
  REQUIRE(Eventually(absl::Seconds(20), [&] { return blocked.load(); }));
  CHECK(CallUnary(*stub, &EchoService::Stub::Inline, Soon(), Text("")).ok());
  CHECK_FALSE(ended);
  pthread_kill(main.native_handle(), signal_number);
  main.join();
  CHECK(result.ok());
  CHECK(
      absl::IsUnavailable(CallUnary(*stub, &EchoService::Stub::Inline, Soon(), Text("")).status()));
}

}  // namespace
}  // namespace trove::rpc
