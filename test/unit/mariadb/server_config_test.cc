#include "agents/mariadb/server_config.h"

#include <set>

#include <catch2/catch.hpp>

#include "libtrove/base/uuid.h"

namespace trove::mariadb {
namespace {

bool HasLine(const std::string& text, const std::string& line) {
  return text.find("\n" + line + "\n") != std::string::npos;
}

ServerPlace Place() {
  return {.data_dir = "/v/data",
          .socket = "/s/db.sock",
          .pid_file = "/g/pid",
          .tmp_dir = "/v/tmp",
          .tls_certificate = "/g/crt",
          .tls_key = "/g/key",
          .tls_authority = "/g/ca",
          .server_id = 7};
}

agent::ServerSettings Settings() {
  return {.memory_mib = 512, .vcpus = 1, .address = "127.0.0.1", .port = 20'001};
}

std::string TextFor(const agent::ServerSettings& settings) {
  const auto config = MakeServerConfig(Place(), settings);
  REQUIRE(config.ok());
  return ServerConfigText(*config);
}

TEST_CASE("a server is sized by its flavor", "[unit][mariadb]") {
  const auto [memory_mib, vcpus, pool, connections, threads] =
      GENERATE(table<std::int64_t, int, std::string, std::string, std::string>({
          {16, 1, "24M", "50", "2"},
          {512, 1, "256M", "64", "2"},
          {1024, 1, "512M", "128", "2"},
          {2048, 2, "1024M", "256", "4"},
          {8192, 4, "4096M", "1024", "8"},
          {262'144, 64, "131072M", "2000", "16"},
      }));
  CAPTURE(memory_mib);
  const std::string text = TextFor({.memory_mib = memory_mib, .vcpus = vcpus});
  CHECK(HasLine(text, "innodb_buffer_pool_size = " + pool));
  CHECK(HasLine(text, "max_connections = " + connections));
  CHECK(HasLine(text, "innodb_read_io_threads = " + threads));
}

TEST_CASE("a server listens where it is told, offers TLS and is durable", "[unit][mariadb]") {
  const std::string text = TextFor(Settings());
  for (const char* line : {"[mariadbd]",
                           "datadir = /v/data",
                           "socket = /s/db.sock",
                           "bind_address = 127.0.0.1",
                           "port = 20001",
                           "server_id = 7",
                           "ssl_cert = /g/crt",
                           "ssl_key = /g/key",
                           "ssl_ca = /g/ca",
                           "local_infile = OFF",
                           "innodb_flush_log_at_trx_commit = 1"}) {
    CAPTURE(line);
    CHECK(HasLine(text, line));
  }
}

TEST_CASE("a parameter comes before our own choice, as the server spells it", "[unit][mariadb]") {
  agent::ServerSettings settings = Settings();
  settings.parameters = {{"max_connections", "77"},
                         {"general_log", "true"},
                         {"slow_query_log", "false"},
                         {"long_query_time", "0.5"},
                         {"innodb_buffer_pool_size", "18446744073709551615"},
                         {"sql_mode", "\"ANSI,STRICT_TRANS_TABLES\""},
                         {"init_connect", "\"SET @a = '#\\\\' \\\"\""}};
  const std::string text = TextFor(settings);
  CHECK(HasLine(text, "max_connections = 77"));
  CHECK(HasLine(text, "general_log = ON"));
  CHECK(HasLine(text, "slow_query_log = OFF"));
  CHECK(HasLine(text, "long_query_time = 0.5"));
  CHECK(HasLine(text, "innodb_buffer_pool_size = 18446744073709551615"));
  CHECK(HasLine(text, "sql_mode = ANSI,STRICT_TRANS_TABLES"));
  CHECK(HasLine(text, "init_connect = \"SET @a = '#\\\\' \\\"\""));
  CHECK(text.find("max_connections = 64") == std::string::npos);
}

TEST_CASE("no parameter moves a server, opens it, or makes it run something", "[unit][mariadb]") {
  const std::string name = GENERATE(values<std::string>({
      "datadir",       "port",
      "socket",        "bind_address",
      "ssl_cert",      "pid_file",
      "init_file",     "plugin_load_add",
      "user",          "skip_networking",
      "loose_datadir", "skip_grant_tables",
      "data",          "ssl",
      "bind",          "plugin_load",
      "Datadir",       "data-dir",
      "port\nuser",    "",
      "skip_ssl",      "secure_file_priv",
      "log_bin",       "enable_ssl",
      "tmp",
  }));
  CAPTURE(name);
  agent::ServerSettings settings = Settings();
  settings.parameters[name] = "\"1\"";
  const absl::Status status = MakeServerConfig(Place(), settings).status();
  CHECK(absl::IsInvalidArgument(status));
  CHECK(std::string(status.message()).find("parameter " + name + " ") != std::string::npos);
}

TEST_CASE("a value is one line", "[unit][mariadb]") {
  const std::string json =
      GENERATE(values<std::string>({"\"a\\nuser = root\"", "[1]", "null", "{}", "nonsense", ""}));
  CAPTURE(json);
  agent::ServerSettings settings = Settings();
  settings.parameters["init_connect"] = json;
  CHECK(absl::IsInvalidArgument(MakeServerConfig(Place(), settings).status()));
}

TEST_CASE("a configuration is read back as it was written", "[unit][mariadb]") {
  ServerConfig config{"/opt/mariadb 11.4",
                      {{"a", ""},
                       {"b", "plain-1.2,x"},
                       {"c", " spaces "},
                       {"d", "\"quoted\" = 'x' # \\ end\\"},
                       {"e", "\""}}};
  CHECK(ParseServerConfig(ServerConfigText(config)) == config);
  // As an earlier release wrote it.
  CHECK(ParseServerConfig("# text\n[mariadbd]\ndatadir = /v/data\nport = 1\n") ==
        ServerConfig{"", {{"datadir", "/v/data"}, {"port", "1"}}});
}

TEST_CASE("server ids are stable, not zero and different", "[unit][mariadb]") {
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string guest = NewUuid();
    const std::uint32_t id = ServerIdOf(guest);
    CHECK(id == ServerIdOf(guest));
    CHECK(id != 0);
    seen.insert(id);
  }
  CHECK(seen.size() >= 999);
}

}  // namespace
}  // namespace trove::mariadb
