#include "services/gateway/config.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/status.h"

namespace trove::gateway {
namespace {

// What comes of the flags of a complete configuration and `more`.
absl::Status Load(const std::vector<std::string>& more, Config* config) {
  std::vector<std::string> flags = {"trove-gateway",
                                    "--mesh-id=0a1b2c3d",
                                    "--mesh-ca=ca",
                                    "--mesh-cert=cert",
                                    "--mesh-key=key",
                                    "--api=127.0.0.1:1,127.0.0.1:2"};
  flags.insert(flags.end(), more.begin(), more.end());
  std::vector<const char*> argv;
  argv.reserve(flags.size());
  for (const std::string& flag : flags)
    argv.push_back(flag.c_str());
  return LoadConfig(static_cast<int>(argv.size()), argv.data(), config).status();
}

}  // namespace

TEST_CASE("a gateway listens in the clear on loopback only", "[unit][gateway]") {
  const auto [listen, tls, ok] = GENERATE(table<std::string, bool, bool>({
      {"127.0.0.1:0", false, true},
      {"127.8.8.8:8779", false, true},
      {"[::1]:8779", false, true},
      {"0.0.0.0:8779", false, false},
      {"10.0.0.1:8779", false, false},
      {"[::]:8779", false, false},
      {"0.0.0.0:8779", true, true},
      {"[::]:8779", true, true},
      {"127.0.0.1:8779", true, true},
      {"127.0.0.1", false, false},
      {"127.0.0.1:", false, false},
      {"127.0.0.1:65536", false, false},
      {"127.0.0.1:-1", false, false},
      {"127.0.0.1:80x", false, false},
  }));
  CAPTURE(listen, tls);
  std::vector<std::string> flags = {"--listen=" + listen};
  if (tls) flags.insert(flags.end(), {"--tls-cert=c", "--tls-key=k"});
  Config config;
  CHECK(Load(flags, &config).ok() == ok);
}

TEST_CASE("a gateway trusts nobody's X-Forwarded-For by itself", "[unit][gateway]") {
  Config config;
  REQUIRE(Load({}, &config).ok());
  CHECK(config.trusted_proxies.empty());
  CHECK(config.max_streams == 512);
  REQUIRE(Load({"--trusted-proxies=10.0.0.0/8,fd00::1", "--max-streams=7"}, &config).ok());
  CHECK(config.trusted_proxies == std::vector<std::string>{"10.0.0.0/8", "fd00::1"});
  CHECK(config.max_streams == 7);
  CHECK_FALSE(Load({"--trusted-proxies=nonsense"}, &config).ok());
  CHECK_FALSE(Load({"--max-streams=-1"}, &config).ok());
}

TEST_CASE("a gateway's configuration is complete or refused by name", "[unit][gateway]") {
  Config config;
  REQUIRE(Load({"--listen=[::1]:7"}, &config).ok());
  CHECK(config.listen_address == "::1");
  CHECK(config.listen_port == 7);
  CHECK(config.api == std::vector<std::string>{"127.0.0.1:1", "127.0.0.1:2"});

  Config half_tls;
  CHECK(MessageOf(Load({"--tls-cert=c"}, &half_tls)) == "tls_cert and tls_key go together");
  Config no_threads;
  CHECK(MessageOf(Load({"--threads=0"}, &no_threads)) == "threads must be 1 to 64");
  Config nothing;
  const char* const bare[] = {"trove-gateway"};
  CHECK(MessageOf(LoadConfig(1, bare, &nothing).status()) == "mesh_id is missing");
}

}  // namespace trove::gateway
