#include "agents/mariadb/server_config.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"

namespace trove::mariadb {
namespace {

constexpr std::string_view kEngineLine = "# engine: ";

// What decides where the server's files are, who gets in, and what it runs.
constexpr std::string_view kOwn[] = {
    "aria_log_dir_path",
    "basedir",
    "bind_address",
    "character_sets_dir",
    "chroot",
    "datadir",
    "debug",
    "extra_port",
    "general_log_file",
    "help",
    "init_file",
    "innodb_data_file_path",
    "innodb_data_home_dir",
    "innodb_force_recovery",
    "innodb_log_group_home_dir",
    "innodb_read_only",
    "innodb_temp_data_file_path",
    "innodb_tmpdir",
    "innodb_undo_directory",
    "lc_messages_dir",
    "log_basename",
    "log_bin",
    "log_bin_index",
    "log_error",
    "networking",
    "pid_file",
    "plugin_dir",
    "plugin_load",
    "plugin_load_add",
    "plugin_maturity",
    "port",
    "relay_log",
    "relay_log_index",
    "secure_file_priv",
    "server_id",
    "skip_grant_tables",
    "skip_name_resolve",
    "skip_networking",
    "slave_load_tmpdir",
    "slow_query_log_file",
    "socket",
    "ssl",
    "ssl_ca",
    "ssl_capath",
    "ssl_cert",
    "ssl_cipher",
    "ssl_crl",
    "ssl_crlpath",
    "ssl_key",
    "tls_version",
    "tmpdir",
    "unix_socket",
    "user",
    "wsrep_on",
    "wsrep_provider",
};

// Whole names, though longer ones of ours begin with them.
constexpr std::string_view kWhole[] = {
    "general_log", "log_bin_trust_function_creators", "slow_query_log"};

// The server takes the beginning of a name for the name, and words before it for what to do.
bool IsOwn(std::string_view name) {
  if (std::find(std::begin(kWhole), std::end(kWhole), name) != std::end(kWhole)) return false;
  for (const std::string_view word : {"loose_", "enable_", "disable_", "maximum_", "autoset_"})
    if (name.starts_with(word)) return true;
  if (name.starts_with("skip_") && IsOwn(name.substr(5))) return true;
  return std::any_of(std::begin(kOwn), std::end(kOwn), [&](std::string_view own) {
    return own.starts_with(name);
  });
}

bool IsName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// Half of the memory in whole chunks of 8 MiB, at least one chunk of InnoDB's least pool.
std::int64_t BufferPoolMib(std::int64_t memory_mib) {
  return std::max<std::int64_t>(memory_mib / 2 / 8 * 8, 24);
}

// A connection at work takes about 2 MiB; a quarter of the memory is theirs.
std::int64_t MaxConnections(std::int64_t memory_mib) {
  return std::clamp<std::int64_t>(memory_mib / 4 / 2, 50, 2000);
}

// As my.cnf reads it back: only a quoted value may have `#`, quotes and spaces at its ends.
std::string Quoted(const std::string& value) {
  const bool plain = std::all_of(value.begin(), value.end(), [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("_-.,:/+@%=").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain) return value;
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

std::string Unquoted(std::string_view value) {
  if (value.size() < 2 || value.front() != '"') return std::string(value);
  std::string text;
  for (std::size_t i = 1; i + 1 < value.size(); ++i) {
    if (value[i] == '\\') ++i;
    text += value[i];
  }
  return text;
}

}  // namespace

absl::StatusOr<std::string> VariableText(std::string_view json) {
  TROVE_ASSIGN_OR_RETURN(std::string text, agent::ParameterText(json));
  if (json == "true") return "ON";
  if (json == "false") return "OFF";
  if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 32 || c == 127; }))
    return absl::InvalidArgumentError("the value must be one line of text");
  return text;
}

absl::StatusOr<ServerConfig> MakeServerConfig(const ServerPlace& place,
                                              const agent::ServerSettings& settings) {
  ServerConfig config;
  config.engine = settings.engine;
  auto& set = config.variables;
  set["local_infile"] = "OFF";
  set["character_set_server"] = "utf8mb4";
  set["max_connections"] = std::to_string(MaxConnections(settings.memory_mib));
  set["innodb_buffer_pool_size"] = std::to_string(BufferPoolMib(settings.memory_mib)) + "M";
  set["innodb_read_io_threads"] = std::to_string(std::clamp(settings.vcpus * 2, 2, 16));
  set["innodb_write_io_threads"] = std::to_string(std::clamp(settings.vcpus * 2, 2, 16));
  // The size of the template's, so that the first start has nothing to resize.
  set["innodb_log_file_size"] = "8M";
  set["innodb_flush_log_at_trx_commit"] = "1";
  set["performance_schema"] = "OFF";
  for (const auto& [name, json] : settings.parameters) {
    if (!IsName(name) || IsOwn(name))
      return absl::InvalidArgumentError("parameter " + name + " cannot be set");
    absl::StatusOr<std::string> value = VariableText(json);
    TROVE_RETURN_IF_ERROR(Annotate(value.status(), "parameter " + name));
    set[name] = *std::move(value);
  }
  set["datadir"] = place.data_dir;
  set["socket"] = place.socket;
  set["pid_file"] = place.pid_file;
  set["tmpdir"] = place.tmp_dir;
  set["bind_address"] = settings.address;
  set["port"] = std::to_string(settings.port);
  set["server_id"] = std::to_string(place.server_id);
  set["ssl_cert"] = place.tls_certificate;
  set["ssl_key"] = place.tls_key;
  set["ssl_ca"] = place.tls_authority;
  set["skip_name_resolve"] = "ON";
  // A server that was unpacked somewhere looks for its messages where it was built.
  std::error_code error;
  if (!settings.engine.empty() &&
      std::filesystem::is_directory(std::filesystem::path(settings.engine) / "share", error)) {
    set["basedir"] = settings.engine;
  }
  return config;
}

std::string ServerConfigText(const ServerConfig& config) {
  std::string text = "# Written by the guest agent; changes are lost.\n";
  if (!config.engine.empty()) text += std::string(kEngineLine) + config.engine + "\n";
  text += "[mariadbd]\n";
  for (const auto& [name, value] : config.variables)
    text += name + " = " + Quoted(value) + "\n";
  return text;
}

ServerConfig ParseServerConfig(std::string_view text) {
  ServerConfig config;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.starts_with(kEngineLine)) config.engine = line.substr(kEngineLine.size());
    const std::size_t equals = line.find(" = ");
    if (line.starts_with("#") || equals == std::string_view::npos) continue;
    config.variables[std::string(line.substr(0, equals))] = Unquoted(line.substr(equals + 3));
  }
  return config;
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
