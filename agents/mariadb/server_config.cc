#include "agents/mariadb/server_config.h"

#include <algorithm>

namespace trove::mariadb {
namespace {

// Half of the memory in whole chunks of 8 MiB, at least one chunk of InnoDB's least pool.
std::int64_t BufferPoolMib(std::int64_t memory_mib) {
  return std::max<std::int64_t>(memory_mib / 2 / 8 * 8, 24);
}

// A connection at work takes about 2 MiB; a quarter of the memory is theirs.
std::int64_t MaxConnections(std::int64_t memory_mib) {
  return std::clamp<std::int64_t>(memory_mib / 4 / 2, 50, 2000);
}

}  // namespace

std::string ServerConfigText(const ServerSettings& settings) {
  std::string text = "# Written by the guest agent; changes are lost.\n[mariadbd]\n";
  const auto set = [&text](const char* key, const std::string& value) {
    text += std::string(key) + " = " + value + "\n";
  };
  set("datadir", settings.data_dir);
  set("socket", settings.socket);
  set("pid_file", settings.pid_file);
  set("tmpdir", settings.tmp_dir);
  set("bind_address", settings.address);
  set("port", std::to_string(settings.port));
  set("server_id", std::to_string(settings.server_id));
  set("ssl_cert", settings.tls_certificate);
  set("ssl_key", settings.tls_key);
  set("ssl_ca", settings.tls_authority);
  set("skip_name_resolve", "ON");
  set("local_infile", "OFF");
  set("character_set_server", "utf8mb4");
  set("max_connections", std::to_string(MaxConnections(settings.memory_mib)));
  set("innodb_buffer_pool_size", std::to_string(BufferPoolMib(settings.memory_mib)) + "M");
  set("innodb_read_io_threads", std::to_string(std::clamp(settings.vcpus * 2, 2, 16)));
  set("innodb_write_io_threads", std::to_string(std::clamp(settings.vcpus * 2, 2, 16)));
  // The size of the template's, so that the first start has nothing to resize.
  set("innodb_log_file_size", "8M");
  set("innodb_flush_log_at_trx_commit", "1");
  set("performance_schema", "OFF");
  return text;
}

std::uint32_t ServerIdOf(const std::string& guest_id) {
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (const char c : guest_id) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 16777619U;
  }
  return hash == 0 ? 1 : hash;
}

}  // namespace trove::mariadb
