#pragma once

#include <filesystem>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace trove::agent {

/// What an agent is told by whoever places its guest: the file `agent.yaml` in the guest's
/// directory.
struct AgentConfig {
  std::string guest_id;
  std::string mesh_id;
  std::string guest_dir;                ///< the agent's own files: keys, journal
  std::string volume_dir;               ///< the database's files
  std::string socket_dir;               ///< short: keeper.sock, agent.sock, db.sock
  std::string conductor_enrol_address;  ///< host:port
  std::string nats_url;                 ///< tls://host:port
  std::string mesh_ca;                  ///< file
  std::string enrolment_token;          ///< file, read once; may be gone when enrolled
  int volume_size_gib = 0;
  int heartbeat_interval_ms = 5000;
  std::string log_level = "info";

  std::filesystem::path KeeperSocket() const;
  std::filesystem::path AgentSocket() const;
  std::filesystem::path DatabaseSocket() const;
};

/// Reads `--config FILE`, the environment (TROVE_AGENT_…) and flags. False: there is nothing to run
/// (help was printed). Errors: kInvalidArgument, naming what is missing.
absl::StatusOr<bool> LoadAgentConfig(int argc, const char* const* argv, AgentConfig* config);

/// The text of `agent.yaml`.
std::string AgentConfigYaml(const AgentConfig& config);

}  // namespace trove::agent
