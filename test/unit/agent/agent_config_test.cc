#include "libtrove/agent/agent_config.h"

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "test/support/temporary_directory.h"

namespace trove::agent {
namespace {

AgentConfig WholeConfig() {
  return {.guest_id = "2c2f8f5e-0f8e-4a39-9f0c-3b9f6a1d2c11",
          .mesh_id = "00000012",  // a string also where it looks like a number
          .guest_dir = "/var/lib/a \"quoted\" folder/state",
          .volume_dir = "/var/lib/trove/#1",
          .socket_dir = "/run/trove/1",
          .conductor_enrol_address = "127.0.0.1:8783",
          .nats_url = "tls://127.0.0.1:4222",
          .mesh_ca = "/x: y",
          .enrolment_token = "/t",
          .volume_size_gib = 12,
          .heartbeat_interval_ms = 700,
          .log_level = "debug"};
}

absl::StatusOr<bool> Load(const std::string& yaml, AgentConfig* config) {
  const TemporaryDirectory folder;
  const std::string path = folder / "agent.yaml";
  if (absl::Status status = WriteFileAtomically(path, yaml, 0600); !status.ok()) return status;
  const char* const argv[] = {"agent", "--config", path.c_str()};
  return LoadAgentConfig(3, argv, config);
}

TEST_CASE("an agent reads what its provisioner wrote", "[unit][agent]") {
  const AgentConfig written = WholeConfig();
  AgentConfig read;
  const auto loaded = Load(AgentConfigYaml(written), &read);
  INFO(loaded.status());
  REQUIRE(loaded.value_or(false));
  CHECK(read.guest_id == written.guest_id);
  CHECK(read.mesh_id == written.mesh_id);
  CHECK(read.guest_dir == written.guest_dir);
  CHECK(read.volume_dir == written.volume_dir);
  CHECK(read.socket_dir == written.socket_dir);
  CHECK(read.conductor_enrol_address == written.conductor_enrol_address);
  CHECK(read.nats_url == written.nats_url);
  CHECK(read.mesh_ca == written.mesh_ca);
  CHECK(read.enrolment_token == written.enrolment_token);
  CHECK(read.volume_size_gib == written.volume_size_gib);
  CHECK(read.heartbeat_interval_ms == written.heartbeat_interval_ms);
  CHECK(read.log_level == written.log_level);
  CHECK(read.DatabaseSocket() == "/run/trove/1/db.sock");
}

TEST_CASE("an agent names what its configuration lacks", "[unit][agent]") {
  using Change = std::function<void(AgentConfig&)>;
  const auto [named, change] = GENERATE(table<std::string, Change>({
      {"guest_id",
       [](AgentConfig& config) {
         config.guest_id = "one";
       }},
      {"mesh_id",
       [](AgentConfig& config) {
         config.mesh_id.clear();
       }},
      {"volume_dir",
       [](AgentConfig& config) {
         config.volume_dir.clear();
       }},
      {"nats_url",
       [](AgentConfig& config) {
         config.nats_url.clear();
       }},
      {"heartbeat_interval_ms",
       [](AgentConfig& config) {
         config.heartbeat_interval_ms = 0;
       }},
  }));
  AgentConfig config = WholeConfig();
  change(config);
  AgentConfig read;
  const absl::Status status = Load(AgentConfigYaml(config), &read).status();
  CHECK(absl::IsInvalidArgument(status));
  CHECK_THAT(std::string(status.message()), Catch::Contains(named));
}

}  // namespace
}  // namespace trove::agent
