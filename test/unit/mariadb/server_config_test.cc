#include "agents/mariadb/server_config.h"

#include <set>

#include <catch2/catch.hpp>

#include "libtrove/base/uuid.h"

namespace trove::mariadb {
namespace {

bool HasLine(const std::string& text, const std::string& line) {
  return text.find("\n" + line + "\n") != std::string::npos;
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
  const std::string text = ServerConfigText({.memory_mib = memory_mib, .vcpus = vcpus});
  CHECK(HasLine(text, "innodb_buffer_pool_size = " + pool));
  CHECK(HasLine(text, "max_connections = " + connections));
  CHECK(HasLine(text, "innodb_read_io_threads = " + threads));
}

TEST_CASE("a server listens where it is told, offers TLS and is durable", "[unit][mariadb]") {
  const std::string text = ServerConfigText({.data_dir = "/v/data",
                                             .socket = "/s/db.sock",
                                             .pid_file = "/g/pid",
                                             .tmp_dir = "/v/tmp",
                                             .address = "127.0.0.1",
                                             .port = 20'001,
                                             .tls_certificate = "/g/crt",
                                             .tls_key = "/g/key",
                                             .tls_authority = "/g/ca",
                                             .memory_mib = 512,
                                             .vcpus = 1,
                                             .server_id = 7});
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
