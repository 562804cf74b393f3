#include "services/gateway/http_stream.h"

#include <atomic>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/mutex.h"
#include "services/gateway/http_server.h"
#include "test/support/eventually.h"
#include "test/support/test_mesh.h"
#include "test/unit/gateway/raw_http.h"

namespace trove::gateway {
namespace {

// Answers every request with a stream, which the test then has.
class Streams {
 public:
  explicit Streams(StreamOptions options = {}) : options_(std::move(options)) {}

  HttpServer::Handler Handler() {
    return [this](const HttpRequest&, Responder respond) {
      StreamOptions options = options_;
      options.on_end = [this] {
        ++ended_;
      };
      auto stream = respond.Stream({.content_type = "text/event-stream"}, std::move(options));
      if (stream == nullptr) return respond({.status = 503});
      const MutexLock lock(mutex_);
      streams_.push_back(std::move(stream));
    };
  }
  std::size_t count() {
    const MutexLock lock(mutex_);
    return streams_.size();
  }
  int ended() const { return ended_; }
  /// The stream that began as number `index`, once it has.
  std::shared_ptr<BodyStream> Get(std::size_t index = 0) {
    REQUIRE(Eventually(absl::Seconds(10), [&] { return count() > index; }));
    const MutexLock lock(mutex_);
    return streams_[index];
  }

 private:
  const StreamOptions options_;
  std::atomic<int> ended_ = 0;
  Mutex mutex_;
  std::vector<std::shared_ptr<BodyStream>> streams_;
};

std::unique_ptr<HttpServer> Start(Streams& streams, const HttpOptions& options = {}) {
  auto server = HttpServer::Start(
      options, streams.Handler(), [](int status, const std::string&) -> HttpResponse {
        return {.status = status};
      });
  REQUIRE(server.ok());
  return *std::move(server);
}

constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

// Writes as long as there is room, until the stream ends.
class Flood {
 public:
  explicit Flood(std::shared_ptr<BodyStream> stream)
      : stream_(std::move(stream)), thread_([this] { Run(); }) {}
  std::size_t bytes() const { return bytes_; }

 private:
  void Run() {
    do {
      stream_->WhenWritable([this] { room_.release(); });
      room_.acquire();
      bytes_ += kPiece;
    } while (stream_->Write(std::string(kPiece, 'x')));
  }

  static constexpr std::size_t kPiece = 16 * 1024;
  const std::shared_ptr<BodyStream> stream_;
  std::binary_semaphore room_{0};
  std::atomic<std::size_t> bytes_ = 0;
  std::jthread thread_;
};

}  // namespace

TEST_CASE("an answer goes on in chunks until it is closed", "[unit][gateway]") {
  Streams streams;
  const auto server = Start(streams);
  RawClient client(server->port());
  REQUIRE(client.Send(kGet));
  const RawResponse head = client.Receive();
  CHECK(head.status == 200);
  CHECK(head.Header("Transfer-Encoding") == "chunked");
  CHECK(head.Header("Content-Length").empty());
  CHECK(head.Header("Content-Type") == "text/event-stream");
  CHECK(head.Header("Connection") == "close");
  const auto stream = streams.Get();
  for (const std::string text : {"one", "two"}) {
    CHECK(stream->Write(text));
    CHECK(client.ReceiveChunk() == text);
  }
  CHECK(streams.ended() == 0);
  CHECK(stream->Write("last"));
  stream->Close();
  CHECK(client.ReceiveAll() == "4\r\nlast\r\n0\r\n\r\n");
  CHECK(streams.ended() == 1);
  CHECK_FALSE(stream->Write("late"));
  bool called = false;
  stream->WhenWritable([&] { called = true; });
  CHECK(called);
}

TEST_CASE("a client of HTTP/1.0 gets the bytes and the end of the connection", "[unit][gateway]") {
  Streams streams;
  const auto server = Start(streams);
  RawClient client(server->port());
  REQUIRE(client.Send("GET / HTTP/1.0\r\n\r\n"));
  const auto stream = streams.Get();
  const RawResponse head = client.Receive();
  CHECK(head.status == 200);
  CHECK(head.Header("Transfer-Encoding").empty());
  stream->Write("one");
  stream->Write("two");
  stream->Close();
  CHECK(client.ReceiveAll() == "onetwo");
}

TEST_CASE("HEAD of an answer that goes on has a header and an end", "[unit][gateway]") {
  Streams streams;
  const auto server = Start(streams);
  RawClient client(server->port());
  REQUIRE(client.Send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK(client.Receive(RawClient::Body::kNone).status == 200);
  CHECK(client.ReceiveAll().empty());
  CHECK(Eventually(absl::Seconds(10), [&] { return streams.ended() == 1; }));
}

TEST_CASE("a client that leaves ends its stream", "[unit][gateway]") {
  Streams streams;
  const auto server = Start(streams);
  std::optional<RawClient> client(server->port());
  REQUIRE(client->Send(kGet));
  const auto stream = streams.Get();
  CHECK(client->Receive().status == 200);
  client.reset();
  CHECK(Eventually(absl::Seconds(10), [&] { return streams.ended() == 1; }));
  CHECK_FALSE(stream->Write("x"));
}

TEST_CASE("a client that does not read is dropped, and no more is kept for it than the bound",
          "[unit][gateway]") {
  Streams streams;
  HttpOptions options;
  options.write_timeout = absl::Milliseconds(500);
  const auto server = Start(streams, options);
  RawClient client(server->port());
  REQUIRE(client.Send(kGet));
  const Flood flood(streams.Get());
  CHECK(Eventually(absl::Seconds(30), [&] { return streams.ended() == 1; }));
  // What the kernel holds is its own business, and some MiB.
  CHECK(flood.bytes() < 64 * 1024 * 1024);
}

TEST_CASE("whoever writes without asking for room loses the stream", "[unit][gateway]") {
  int woken = 0;
  int ended = 0;
  StreamBuffer buffer({.on_end =
                           [&] {
                             ++ended;
                           }},
                      100,
                      [&] { ++woken; });
  CHECK(buffer.Write(std::string(101, 'x')));
  bool writable = false;
  buffer.WhenWritable([&] { writable = true; });
  CHECK_FALSE(writable);
  CHECK_FALSE(buffer.Write("x"));
  CHECK(ended == 1);
  CHECK(writable);
  CHECK(buffer.Take().bytes.empty());
  CHECK(woken == 2);
}

TEST_CASE("there is room again when half of what was taken has been sent", "[unit][gateway]") {
  StreamBuffer buffer({}, 100, [] {});
  int calls = 0;
  buffer.Write(std::string(51, 'x'));
  buffer.WhenWritable([&] { ++calls; });
  CHECK(buffer.Take().bytes.size() == 51);
  CHECK(calls == 0);  // it is not sent yet
  buffer.Sent();
  CHECK(calls == 1);
  buffer.Write(std::string(50, 'x'));
  buffer.WhenWritable([&] { ++calls; });
  CHECK(calls == 2);
  buffer.Close();
  const StreamBuffer::Piece piece = buffer.Take();
  CHECK(piece.bytes.size() == 50);
  CHECK(piece.last);
}

TEST_CASE("a stream that says nothing has a heartbeat", "[unit][gateway]") {
  Streams streams({.heartbeat = ":\n\n", .heartbeat_interval = absl::Milliseconds(20)});
  const auto server = Start(streams);
  RawClient client(server->port());
  REQUIRE(client.Send(kGet));
  CHECK(client.Receive().status == 200);
  for (int i = 0; i < 3; ++i)
    CHECK(client.ReceiveChunk() == ":\n\n");
  streams.Get()->Close();
}

TEST_CASE("there are only so many streams at a time", "[unit][gateway]") {
  Streams streams;
  HttpOptions options;
  options.max_streams = 2;
  const auto server = Start(streams, options);
  std::vector<RawClient> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back(server->port());
    REQUIRE(clients.back().Send(kGet));
    CHECK(clients.back().Receive().status == 200);
  }
  CHECK(Exchange(server->port(), kGet).status == 503);
  clients.pop_back();
  CHECK(Eventually(absl::Seconds(10), [&] {
    return Exchange(server->port(), "GET / HTTP/1.1\r\nHost: h\r\n\r\n").status == 200;
  }));
}

TEST_CASE("a drain says farewell to streams and waits for nobody", "[unit][gateway]") {
  Streams streams({.farewell = "retry: 1000\n\n"});
  const auto server = Start(streams);
  RawClient client(server->port());
  REQUIRE(client.Send(kGet));
  CHECK(client.Receive().status == 200);
  streams.Get()->Write("x\n\n");
  const absl::Time began = absl::Now();
  server->Drain(absl::Seconds(60));
  CHECK(absl::Now() - began < absl::Seconds(30));
  EventReader events(client);
  CHECK(events.Next()->other == "x");
  CHECK(events.Next()->other == "retry: 1000");
  CHECK_FALSE(events.Next().has_value());
  CHECK(streams.ended() == 1);
}

TEST_CASE("streams go over TLS", "[unit][gateway]") {
  TestMesh mesh;
  const auto endpoint = mesh.Endpoint();
  HttpOptions options;
  options.tls_certificate = endpoint->files().certificate;
  options.tls_key = endpoint->files().key;
  Streams streams;
  const auto server = Start(streams, options);
  std::string answer;
  std::jthread client(
      [&] { answer = TlsExchange(server->port(), mesh.endpoint_authority_pem(), kGet); });
  const auto stream = streams.Get();
  CHECK(stream->Write("one"));
  stream->Close();
  client.join();
  CHECK(answer.find("\r\n\r\n3\r\none\r\n") != std::string::npos);
  CHECK(answer.substr(answer.size() - 5) == "0\r\n\r\n");
}

TEST_CASE("a server that goes away ends its streams", "[unit][gateway]") {
  Streams streams;
  auto server = Start(streams);
  RawClient client(server->port());
  REQUIRE(client.Send(kGet));
  const auto stream = streams.Get();
  server.reset();
  CHECK(streams.ended() == 1);
  CHECK_FALSE(stream->Write("x"));
  stream->Close();
}

}  // namespace trove::gateway
