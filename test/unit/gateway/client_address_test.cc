#include "services/gateway/client_address.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/status.h"

namespace trove::gateway {

TEST_CASE("X-Forwarded-For is believed from trusted proxies only", "[unit][gateway]") {
  const auto proxies = TrustedProxies::Parse({"10.0.0.0/8", "192.0.2.1", "fd00::/8"});
  REQUIRE(proxies.ok());
  struct Row {
    std::string peer;
    std::vector<std::string> forwarded;
    std::string want;
  };
  for (const Row& row : std::vector<Row>{
           {"198.51.100.7", {}, "198.51.100.7"},
           {"198.51.100.7", {"203.0.113.9"}, "198.51.100.7"},
           {"10.1.2.3", {}, "10.1.2.3"},
           {"10.1.2.3", {"203.0.113.9"}, "203.0.113.9"},
           {"10.1.2.3", {"1.1.1.1, 203.0.113.9"}, "203.0.113.9"},
           {"10.1.2.3", {"203.0.113.9, 192.0.2.1,10.9.9.9"}, "203.0.113.9"},
           {"10.1.2.3", {"1.1.1.1", "203.0.113.9, 10.9.9.9"}, "203.0.113.9"},
           {"10.1.2.3", {"1.1.1.1", "192.0.2.1"}, "1.1.1.1"},
           {"10.1.2.3", {"203.0.113.9:4711"}, "203.0.113.9"},
           {"10.1.2.3", {"[2001:db8::1]:4711"}, "2001:db8::1"},
           {"fd00::1", {"2001:db8::1"}, "2001:db8::1"},
           {"10.1.2.3", {"nonsense"}, "10.1.2.3"},
           {"10.1.2.3", {"["}, "10.1.2.3"},
           {"10.1.2.3", {""}, "10.1.2.3"},
           {"10.1.2.3", {"1.1.1.1, "}, "10.1.2.3"},
           {"192.0.2.2", {"203.0.113.9"}, "192.0.2.2"},
       }) {
    HttpRequest http;
    http.peer = row.peer;
    http.headers.emplace_back("Host", "h");
    for (const std::string& value : row.forwarded)
      http.headers.emplace_back("x-forwarded-for", value);
    CAPTURE(row.peer, row.forwarded);
    CHECK(ClientAddress(*proxies, http) == row.want);
    CHECK(ClientAddress(TrustedProxies(), http) == row.peer);
  }
}

TEST_CASE("a trusted proxy is an address or a network", "[unit][gateway]") {
  for (const std::string bad :
       {"nonsense", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "/8", "::/129"}) {
    CAPTURE(bad);
    const auto parsed = TrustedProxies::Parse({bad});
    CHECK(absl::IsInvalidArgument(parsed.status()));
    CHECK(MessageOf(parsed.status()).find(bad) != std::string::npos);
  }
  const auto all = TrustedProxies::Parse({"0.0.0.0/0"});
  CHECK(all->Contain("1.2.3.4"));
  CHECK_FALSE(all->Contain("2001:db8::1"));
  CHECK_FALSE(all->Contain("nonsense"));
  const auto odd = TrustedProxies::Parse({"10.0.0.128/25"});
  CHECK(odd->Contain("10.0.0.200"));
  CHECK_FALSE(odd->Contain("10.0.0.100"));
}

}  // namespace trove::gateway
