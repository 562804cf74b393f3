#include "libtrove/rpc/stream.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/status.h"
#include "test/support/eventually.h"
#include "test/unit/rpc/echo_server.h"

namespace trove::rpc {
namespace {

EchoResponse Numbered(int number, std::size_t bytes = 0) {
  EchoResponse response;
  response.set_number(number);
  response.set_text(std::string(bytes, 'x'));
  return response;
}

// Takes the stream out of the handler, for the test to write to.
struct Taken {
  std::mutex mutex;
  std::optional<Call> call;
  std::optional<Stream<EchoResponse>> stream;

  EchoBehaviour Behaviour(std::size_t buffer) {
    EchoBehaviour behaviour;
    behaviour.stream = {.buffer = buffer};
    behaviour.count = [this](const Call& from, const Stream<EchoResponse>& given) {
      const std::lock_guard lock(mutex);
      call = from;
      stream = given;
    };
    return behaviour;
  }
  bool arrived() {
    const std::lock_guard lock(mutex);
    return stream.has_value();
  }
};

struct Reading {
  explicit Reading(EchoServer& echo, const Call& call = Soon())
      : stub(echo.Echo()), outgoing(call), reader(stub->Count(outgoing.context(), Text(""))) {}

  std::vector<int> ReadAll() {
    std::vector<int> numbers;
    EchoResponse response;
    while (reader->Read(&response))
      numbers.push_back(response.number());
    return numbers;
  }
  absl::Status Finish() { return FromGrpc(reader->Finish()); }

  std::unique_ptr<EchoService::Stub> stub;
  OutgoingCall outgoing;
  std::unique_ptr<grpc::ClientReader<EchoResponse>> reader;
};

TEST_CASE("what is written arrives in order and before the end", "[unit][rpc]") {
  EchoBehaviour behaviour;
  const absl::Status end = GENERATE(absl::OkStatus(), absl::NotFoundError("deleted meanwhile"));
  behaviour.count = [end](const Call&, const Stream<EchoResponse>& stream) {
    for (int i = 0; i < 5; ++i)
      CHECK(stream.TryWrite(Numbered(i)).ok());
    stream.Close(end);
    CHECK(absl::IsFailedPrecondition(stream.TryWrite(Numbered(5))));
  };
  EchoServer echo(behaviour);
  Reading reading(echo);
  CHECK(reading.ReadAll() == std::vector<int>{0, 1, 2, 3, 4});
  const absl::Status finished = reading.Finish();
  CHECK(finished.code() == end.code());
  CHECK(finished.message() == end.message());
}

TEST_CASE("a full buffer refuses and tells when there is room again", "[unit][rpc]") {
  Taken taken;
  EchoServer echo(taken.Behaviour(8));
  Reading reading(echo);
  REQUIRE(Eventually(absl::Seconds(20), [&] { return taken.arrived(); }));
  const Stream<EchoResponse>& stream = *taken.stream;

  // Large messages, so that the transport's own windows fill up as well.
  int written = 0;
  REQUIRE(Eventually(absl::Seconds(20), [&] {
    while (written < 1000) {
      const absl::Status status = stream.TryWrite(Numbered(written, 256 << 10));
      if (!status.ok()) return absl::IsResourceExhausted(status);
      ++written;
    }
    return true;
  }));
  std::atomic<int> calls = 0;
  // Room for the last of the buffer may still appear while the transport's windows fill.
  REQUIRE(Eventually(absl::Seconds(20), [&] {
    while (stream.TryWrite(Numbered(written, 256 << 10)).ok())
      ++written;
    calls = 0;
    stream.WhenWritable([&calls] { calls += 1; });
    return calls == 0;
  }));
  CHECK(written < 1000);

  EchoResponse response;
  for (int i = 0; i < written; ++i) {
    REQUIRE(reading.reader->Read(&response));
    CHECK(response.number() == i);
  }
  CHECK(Eventually(absl::Seconds(20), [&] { return calls == 1; }));
  stream.WhenWritable([&calls] { calls += 1; });
  CHECK(calls == 2);
  CHECK(stream.TryWrite(Numbered(written)).ok());
  stream.Close();
  CHECK(reading.ReadAll() == std::vector<int>{written});
  CHECK(reading.Finish().ok());
}

TEST_CASE("a thread of our own can wait for room", "[unit][rpc]") {
  constexpr int kMessages = 200;
  Taken taken;
  EchoServer echo(taken.Behaviour(4));
  Reading reading(echo);
  REQUIRE(Eventually(absl::Seconds(20), [&] { return taken.arrived(); }));
  std::atomic<int> failed = 0;
  {
    const std::jthread writer([&] {
      for (int i = 0; i < kMessages; ++i)
        failed += taken.stream->Write(*taken.call, Numbered(i, 64 << 10)).ok() ? 0 : 1;
      taken.stream->Close();
    });
    const std::vector<int> numbers = reading.ReadAll();
    REQUIRE(numbers.size() == kMessages);
    CHECK(numbers.back() == kMessages - 1);
  }
  CHECK(failed == 0);
  CHECK(reading.Finish().ok());
}

TEST_CASE("a waiting writer gives up at its deadline and at its stop token", "[unit][rpc]") {
  Taken taken;
  EchoServer echo(taken.Behaviour(1));
  Reading reading(echo);
  REQUIRE(Eventually(absl::Seconds(20), [&] { return taken.arrived(); }));
  const auto write_until_stuck = [&](const Call& call) {
    absl::Status status;
    for (int i = 0; i < 1000 && status.ok(); ++i)
      status = taken.stream->Write(call, Numbered(i, 256 << 10));
    return status;
  };
  CHECK(absl::IsDeadlineExceeded(write_until_stuck(CallFor(absl::Milliseconds(500)))));
  std::stop_source stop;
  std::jthread stopper;
  stop.request_stop();
  CHECK(absl::IsCancelled(write_until_stuck(CallFor(absl::Seconds(60), stop.get_token()))));
  reading.outgoing.context()->TryCancel();
}

TEST_CASE("a client that leaves ends the stream for its writer", "[unit][rpc]") {
  Taken taken;
  EchoServer echo(taken.Behaviour(4));
  std::stop_source stop;
  Reading reading(echo, CallFor(absl::Seconds(20), stop.get_token()));
  REQUIRE(Eventually(absl::Seconds(20), [&] { return taken.arrived(); }));
  std::atomic<bool> told = false;
  const std::stop_callback watch(taken.call->stop, [&told] { told = true; });
  stop.request_stop();
  CHECK(Eventually(absl::Seconds(20), [&] { return told.load(); }));
  CHECK(absl::IsCancelled(taken.stream->TryWrite(Numbered(0))));
  CHECK(absl::IsCancelled(reading.Finish()));
}

TEST_CASE("a stream that is dropped is an internal error", "[unit][rpc]") {
  EchoBehaviour behaviour;
  behaviour.count = GENERATE(values<std::function<void(const Call&, Stream<EchoResponse>)>>(
      {[](const Call&, const Stream<EchoResponse>&) {},
       [](const Call&, const Stream<EchoResponse>&) {
         throw std::runtime_error("on purpose");
       }}));
  EchoServer echo(behaviour);
  Reading reading(echo);
  CHECK(reading.ReadAll().empty());
  CHECK(absl::IsInternal(reading.Finish()));
}

}  // namespace
}  // namespace trove::rpc
