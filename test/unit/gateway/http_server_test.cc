#include "services/gateway/http_server.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/mutex.h"
#include "test/support/eventually.h"
#include "test/support/test_mesh.h"
#include "test/unit/gateway/raw_http.h"

namespace trove::gateway {
namespace {

HttpResponse Refused(int status, const std::string& why) {
  return {.status = status, .body = "{\"refused\":\"" + why + "\"}"};
}

// Says what it heard.
void Echo(const HttpRequest& request, Responder respond) {
  respond(
      {.body = request.method + " " + request.target + " " + std::to_string(request.body.size())});
}

std::unique_ptr<HttpServer> Start(const HttpOptions& options = {},
                                  HttpServer::Handler handler = Echo) {
  auto server = HttpServer::Start(options, std::move(handler), Refused);
  REQUIRE(server.ok());
  return *std::move(server);
}

// Keeps requests until the test answers them.
class Waiting {
 public:
  HttpServer::Handler Handler() {
    return [this](HttpRequest request, Responder respond) {
      const MutexLock lock(mutex_);
      waiting_.emplace_back(std::move(request), std::move(respond));
    };
  }
  std::size_t count() {
    const MutexLock lock(mutex_);
    return waiting_.size();
  }
  void AnswerFirst() {
    std::optional<std::pair<HttpRequest, Responder>> first;
    {
      const MutexLock lock(mutex_);
      first.emplace(std::move(waiting_.front()));
      waiting_.erase(waiting_.begin());
    }
    first->second({.body = first->first.target});
  }

 private:
  Mutex mutex_;
  std::vector<std::pair<HttpRequest, Responder>> waiting_;
};

}  // namespace

TEST_CASE("a request is answered and the connection stays", "[unit][gateway]") {
  const auto server = Start();
  RawClient client(server->port());
  for (const std::string target : {"/a", "/b?c=%20"}) {
    REQUIRE(client.Send("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n"));
    const RawResponse response = client.Receive();
    CHECK(response.status == 200);
    CHECK(response.body == "GET " + target + " 0");
    CHECK(response.Header("Content-Type") == "application/json");
  }
  REQUIRE(client.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"));
  CHECK(client.Receive().body == "POST / 5");
  REQUIRE(
      client.Send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"));
  CHECK(client.Receive().body == "POST / 5");
  REQUIRE(client.Send("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
  CHECK(client.Receive().Header("Connection") == "close");
  CHECK(client.Closed());
}

TEST_CASE("HTTP/1.0 gets an answer and a closed connection", "[unit][gateway]") {
  const auto server = Start();
  RawClient client(server->port());
  REQUIRE(client.Send("GET / HTTP/1.0\r\n\r\n"));
  CHECK(client.Receive().body == "GET / 0");
  CHECK(client.Closed());
}

TEST_CASE("HEAD gets the header alone, and the next answer is in its place", "[unit][gateway]") {
  const auto server = Start();
  RawClient client(server->port());
  REQUIRE(client.Send("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\nGET /y HTTP/1.1\r\nHost: h\r\n\r\n"));
  const RawResponse head = client.Receive(RawClient::Body::kNone);
  CHECK(head.status == 200);
  CHECK(head.Header("Content-Length") == "9");
  CHECK(client.Receive().body == "GET /y 0");
}

TEST_CASE("pipelined requests are answered in their order", "[unit][gateway]") {
  Waiting waiting;
  const auto server = Start({}, waiting.Handler());
  RawClient client(server->port());
  std::string requests;
  for (int i = 0; i < 20; ++i)
    requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
  REQUIRE(client.Send(requests));
  for (int i = 0; i < 20; ++i) {
    REQUIRE(Eventually(absl::Seconds(10), [&] { return waiting.count() > 0; }));
    CHECK(waiting.count() == 1);  // one at a time
    waiting.AnswerFirst();
    CHECK(client.Receive().body == "/" + std::to_string(i));
  }
}

TEST_CASE("Expect: 100-continue is answered before the body is read", "[unit][gateway]") {
  const auto server = Start();
  RawClient client(server->port());
  REQUIRE(client.Send(
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"));
  CHECK(client.Receive(RawClient::Body::kNone).status == 100);
  REQUIRE(client.Send("hello"));
  CHECK(client.Receive().body == "POST / 5");

  // A body that will not be taken is refused instead of asked for.
  REQUIRE(client.Send(
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\nExpect: 100-continue\r\n\r\n"));
  CHECK(client.Receive().status == 413);
  CHECK(client.Closed());
}

TEST_CASE("a client of HTTP/1.0 is not told to continue", "[unit][gateway]") {
  const auto server = Start();
  RawClient client(server->port());
  REQUIRE(client.Send("POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello"));
  const RawResponse response = client.Receive();
  CHECK(response.status == 200);
  CHECK(response.body == "POST / 5");
}

TEST_CASE("what is no request is refused and the connection closed", "[unit][gateway]") {
  const auto server = Start();
  const auto [bytes, status] = GENERATE(table<std::string, int>({
      {"garbage\r\n\r\n", 400},
      {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + "\r\n\r\n", 400},
      {"GET / HTTP/9.9\r\n\r\n", 400},
      {"GET /\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n", 431},
      {"GET /" + std::string(20'000, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n", 431},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n", 413},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
  }));
  CAPTURE(bytes.substr(0, 80));
  RawClient client(server->port());
  client.Send(bytes);
  const RawResponse response = client.Receive();
  CHECK(response.status == status);
  CHECK(response.Header("Connection") == "close");
  CHECK(response.body.rfind("{\"refused\":", 0) == 0);
  CHECK(client.Closed());
}

TEST_CASE("a body of a mebibyte is taken and one byte more is refused", "[unit][gateway]") {
  const auto server = Start();
  const std::string mebibyte(1024 * 1024, 'x');
  RawClient client(server->port());
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n" + mebibyte);
  CHECK(client.Receive().body == "POST / 1048576");

  // The answer arrives although the whole body was sent.
  const RawResponse declared =
      Exchange(server->port(),
               "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n" + mebibyte + "x");
  CHECK(declared.status == 413);
  const RawResponse chunked =
      Exchange(server->port(),
               "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n" +
                   mebibyte + "\r\n1\r\nx\r\n0\r\n\r\n");
  CHECK(chunked.status == 413);
}

TEST_CASE("a slow client is cut off and a silent one is let go", "[unit][gateway]") {
  HttpOptions options;
  options.idle_timeout = absl::Milliseconds(300);
  options.header_timeout = absl::Milliseconds(300);
  options.body_timeout = absl::Milliseconds(300);
  std::atomic<int> handled = 0;
  const auto server = Start(options, [&](const HttpRequest&, Responder respond) {
    ++handled;
    respond({});
  });
  const std::string silent;
  const std::string slow_header = "GET / HTTP/1.1\r\nHost:";
  const std::string slow_body = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nx";
  for (const std::string& begin : {silent, slow_header, slow_body}) {
    CAPTURE(begin);
    RawClient client(server->port());
    client.Send(begin);
    CHECK(client.Closed());
  }
  // A byte now and then does not buy more time.
  RawClient client(server->port());
  client.Send(slow_header);
  const absl::Time began = absl::Now();
  bool open = true;
  while (open && absl::Now() < began + absl::Seconds(10)) {
    open = client.Send("x") && !client.Closed(absl::Milliseconds(20));
  }
  CHECK_FALSE(open);
  CHECK(handled == 0);
}

TEST_CASE("more connections than allowed are told so", "[unit][gateway]") {
  HttpOptions options;
  options.max_connections = 2;
  const auto server = Start(options);
  RawClient first(server->port());
  std::optional<RawClient> second(server->port());
  REQUIRE(first.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  REQUIRE(second->Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK(first.Receive().status == 200);
  CHECK(second->Receive().status == 200);

  RawClient third(server->port());
  CHECK(third.Receive().status == 503);
  CHECK(third.Closed());
  // Also one that has asked already reads the answer, and no reset.
  for (int i = 0; i < 50; ++i) {
    CHECK(Exchange(server->port(), "GET / HTTP/1.1\r\nHost: h\r\n\r\n").status == 503);
  }

  second.reset();
  CHECK(Eventually(absl::Seconds(10), [&] {
    return Exchange(server->port(), "GET / HTTP/1.1\r\nHost: h\r\n\r\n").status == 200;
  }));
}

TEST_CASE("an answer may come from another thread, and a dropped request gets one",
          "[unit][gateway]") {
  std::vector<std::jthread> threads;
  Mutex mutex;
  const auto server = Start({}, [&](const HttpRequest& request, Responder respond) {
    const MutexLock lock(mutex);
    threads.emplace_back([target = request.target, respond = std::move(respond)]() mutable {
      if (target != "/drop") respond({.status = 202, .body = target});
    });
  });
  CHECK(Exchange(server->port(), "GET /later HTTP/1.1\r\nHost: h\r\n\r\n").body == "/later");
  const RawResponse dropped = Exchange(server->port(), "GET /drop HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(dropped.status == 500);
  CHECK(dropped.body.find("instanceFault") != std::string::npos);
}

TEST_CASE("a drain answers what has begun and closes what is idle", "[unit][gateway]") {
  Waiting waiting;
  const auto server = Start({}, waiting.Handler());
  RawClient idle(server->port());
  RawClient busy(server->port());
  REQUIRE(busy.Send("GET /busy HTTP/1.1\r\nHost: h\r\n\r\n"));
  REQUIRE(Eventually(absl::Seconds(10), [&] { return waiting.count() == 1; }));

  std::jthread drain([&] { server->Drain(absl::Seconds(30)); });
  CHECK(idle.Closed());
  CHECK(Eventually(absl::Seconds(10), [&] { return !RawClient(server->port()).connected(); }));
  waiting.AnswerFirst();
  const RawResponse response = busy.Receive();
  CHECK(response.body == "/busy");
  CHECK(response.Header("Connection") == "close");
  CHECK(busy.Closed());
  drain.join();
}

TEST_CASE("a drain cuts what outlasts its grace", "[unit][gateway]") {
  Waiting waiting;
  const auto server = Start({}, waiting.Handler());
  RawClient busy(server->port());
  REQUIRE(busy.Send("GET /busy HTTP/1.1\r\nHost: h\r\n\r\n"));
  REQUIRE(Eventually(absl::Seconds(10), [&] { return waiting.count() == 1; }));
  server->Drain(absl::Milliseconds(50));
  CHECK(busy.Closed());
  waiting.AnswerFirst();  // nobody is there to hear it, and nothing breaks
}

TEST_CASE("with a certificate the server speaks TLS and nothing else", "[unit][gateway]") {
  TestMesh mesh;
  const auto endpoint = mesh.Endpoint();
  HttpOptions options;
  options.tls_certificate = endpoint->files().certificate;
  options.tls_key = endpoint->files().key;
  std::atomic<bool> over_tls = false;
  const auto server = Start(options, [&](const HttpRequest& request, Responder respond) {
    over_tls = request.over_tls;
    respond({.body = request.target});
  });
  const std::string answer = TlsExchange(server->port(),
                                         mesh.endpoint_authority_pem(),
                                         "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  CHECK(answer.rfind("HTTP/1.1 200 OK\r\n", 0) == 0);
  CHECK(answer.substr(answer.size() - 2) == "/x");
  CHECK(over_tls);

  RawClient plain(server->port());
  REQUIRE(plain.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK(plain.Receive().status == 0);
}

TEST_CASE("a taken port and a bad address are refused at start", "[unit][gateway]") {
  const auto server = Start();
  HttpOptions taken;
  taken.port = server->port();
  const auto second = HttpServer::Start(taken, Echo, Refused);
  CHECK(absl::IsUnavailable(second.status()));
  HttpOptions nowhere;
  nowhere.address = "localhost";
  CHECK(absl::IsInvalidArgument(HttpServer::Start(nowhere, Echo, Refused).status()));
  HttpOptions no_file;
  no_file.tls_certificate = "/nonexistent.pem";
  CHECK(absl::IsInvalidArgument(HttpServer::Start(no_file, Echo, Refused).status()));
}

}  // namespace trove::gateway
