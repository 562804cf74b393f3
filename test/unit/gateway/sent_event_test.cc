#include "services/gateway/sent_event.h"

#include <string>

#include <catch2/catch.hpp>

#include "services/gateway/request_parts.h"

namespace trove::gateway {

TEST_CASE("an event is written line by line and nothing gets out of its field", "[unit][gateway]") {
  CHECK(EventText("7", "operation", R"({"a":1})") ==
        "id: 7\nevent: operation\ndata: {\"a\":1}\n\n");
  CHECK(EventText("", "fault", "x") == "event: fault\ndata: x\n\n");
  CHECK(EventText("7", "t", "") == "id: 7\nevent: t\ndata: \n\n");
  CHECK(EventText("7", "t", "{\n\"a\":\r\n1}\n") ==
        "id: 7\nevent: t\ndata: {\ndata: \"a\":\ndata: 1}\ndata: \n\n");
  CHECK(EventText("7\nevent: x", "t\r\ndata: y", "z") ==
        "id: 7event: x\nevent: tdata: y\ndata: z\n\n");
  CHECK(RetryField(1500) == "retry: 1500\n\n");
}

TEST_CASE("links name the host that was asked, if it can stand in a URL", "[unit][gateway]") {
  const auto [host, good] = GENERATE(table<std::string, bool>({
      {"trove.example", true},
      {"trove.example:8779", true},
      {"[::1]:8779", true},
      {"10.0.0.1", true},
      {"", false},
      {"a b", false},
      {"a/b", false},
      {"a\"b", false},
      {"a<b>", false},
      {"user@host", false},
      {"caf\xc3\xa9", false},
  }));
  CAPTURE(host);
  HttpRequest http;
  http.local_address = "127.0.0.1:1";
  http.headers.emplace_back("host", host);
  CHECK(HostOf(http) == (good ? host : "127.0.0.1:1"));
}

}  // namespace trove::gateway
