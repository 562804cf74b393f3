#include "libtrove/agent/agent_config.h"

#include <utility>

#include <yaml-cpp/yaml.h>

#include "libtrove/base/config.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"

namespace trove::agent {

std::filesystem::path AgentConfig::KeeperSocket() const {
  return std::filesystem::path(socket_dir) / "keeper.sock";
}

std::filesystem::path AgentConfig::AgentSocket() const {
  return std::filesystem::path(socket_dir) / "agent.sock";
}

std::filesystem::path AgentConfig::DatabaseSocket() const {
  return std::filesystem::path(socket_dir) / "db.sock";
}

absl::StatusOr<bool> LoadAgentConfig(int argc, const char* const* argv, AgentConfig* config) {
  ConfigLoader loader("agent", "the guest agent of one database server");
  loader.Add("guest_id", &config->guest_id, "the guest's id");
  loader.Add("mesh_id", &config->mesh_id, "the mesh's id");
  loader.Add("guest_dir", &config->guest_dir, "folder of the agent's own files");
  loader.Add("volume_dir", &config->volume_dir, "folder of the database's files");
  loader.Add("socket_dir", &config->socket_dir, "short folder of the guest's sockets");
  loader.Add("conductor_enrol_address",
             &config->conductor_enrol_address,
             "host:port of the conductor's enrolment listener");
  loader.Add("nats_url", &config->nats_url, "tls://host:port of the bus");
  loader.Add("mesh_ca", &config->mesh_ca, "PEM file of the mesh's authority");
  loader.Add("enrolment_token", &config->enrolment_token, "file with the one-time token");
  loader.Add("volume_size_gib", &config->volume_size_gib, "size of the data volume in GiB");
  loader.Add("heartbeat_interval_ms",
             &config->heartbeat_interval_ms,
             "time between heartbeats while nothing changes, 100 to 60000");
  loader.Add("log_level", &config->log_level, "debug, info, warning or error");
  TROVE_ASSIGN_OR_RETURN(const bool run, loader.Load(argc, argv));
  if (!run) return false;
  const std::pair<const char*, const std::string*> needed[] = {
      {"mesh_id", &config->mesh_id},
      {"guest_dir", &config->guest_dir},
      {"volume_dir", &config->volume_dir},
      {"socket_dir", &config->socket_dir},
      {"conductor_enrol_address", &config->conductor_enrol_address},
      {"nats_url", &config->nats_url},
      {"mesh_ca", &config->mesh_ca}};
  for (const auto& [key, value] : needed) {
    if (value->empty()) return absl::InvalidArgumentError(std::string(key) + " is missing");
  }
  if (!IsUuid(config->guest_id)) return absl::InvalidArgumentError("guest_id must be a UUID");
  if (config->heartbeat_interval_ms < 100 || config->heartbeat_interval_ms > 60'000) {
    return absl::InvalidArgumentError("heartbeat_interval_ms must be 100 to 60000");
  }
  return true;
}

std::string AgentConfigYaml(const AgentConfig& config) {
  YAML::Emitter out;
  out << YAML::BeginMap << YAML::Key << "agent" << YAML::Value << YAML::BeginMap;
  const auto add = [&out](const char* key, const std::string& value) {
    out << YAML::Key << key << YAML::Value << YAML::DoubleQuoted << value;
  };
  add("guest_id", config.guest_id);
  add("mesh_id", config.mesh_id);
  add("guest_dir", config.guest_dir);
  add("volume_dir", config.volume_dir);
  add("socket_dir", config.socket_dir);
  add("conductor_enrol_address", config.conductor_enrol_address);
  add("nats_url", config.nats_url);
  add("mesh_ca", config.mesh_ca);
  add("enrolment_token", config.enrolment_token);
  add("volume_size_gib", std::to_string(config.volume_size_gib));
  add("heartbeat_interval_ms", std::to_string(config.heartbeat_interval_ms));
  add("log_level", config.log_level);
  out << YAML::EndMap << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

}  // namespace trove::agent
