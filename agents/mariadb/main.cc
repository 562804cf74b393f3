#include <cstdio>
#include <string_view>

#include "agents/mariadb/mariadb_datastore.h"
#include "agents/mariadb/template.h"
#include "libtrove/agent/agent_config.h"
#include "libtrove/agent/runtime.h"
#include "libtrove/base/log.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/rpc/serve_until_signal.h"

namespace trove::mariadb {
namespace {

constexpr absl::Duration kTemplateLimit = absl::Minutes(5);

absl::Status Main(int argc, const char* const* argv) {
  // What a provisioner calls to make what new volumes begin as: `--build-template FOLDER [ENGINE]`.
  if ((argc == 3 || argc == 4) && std::string_view(argv[1]) == "--build-template") {
    return BuildTemplate(CallFor(kTemplateLimit), argv[2], argc == 4 ? argv[3] : "");
  }
  agent::AgentConfig config;
  TROVE_ASSIGN_OR_RETURN(const bool run, agent::LoadAgentConfig(argc, argv, &config));
  if (!run) return absl::OkStatus();
  LogLevel level = LogLevel::kInfo;
  TROVE_RETURN_IF_ERROR(ParseLogLevel(config.log_level, &level));
  StartLogging("agent-mariadb", level);
  return agent::RunAgent(config, MariadbDatastore::Make);
}

}  // namespace
}  // namespace trove::mariadb

int main(int argc, char** argv) {
  trove::rpc::BlockTerminationSignals();
  const absl::Status status = trove::mariadb::Main(argc, argv);
  if (!status.ok()) std::fprintf(stderr, "trove-agent-mariadb: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
