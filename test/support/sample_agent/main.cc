#include <cstdio>
#include <filesystem>
#include <string_view>

#include "libtrove/agent/agent_config.h"
#include "libtrove/agent/runtime.h"
#include "libtrove/base/files.h"
#include "libtrove/base/log.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/rpc/serve_until_signal.h"
#include "test/support/sample_agent/sample_datastore.h"

namespace trove::sample {
namespace {

absl::Status Main(int argc, const char* const* argv) {
  // What new volumes begin as: a server without a number.
  if ((argc == 3 || argc == 4) && std::string_view(argv[1]) == "--build-template")
    return MakeDirectory(std::filesystem::path(argv[2]) / "data", 0700);
  agent::AgentConfig config;
  TROVE_ASSIGN_OR_RETURN(const bool run, agent::LoadAgentConfig(argc, argv, &config));
  if (!run) return absl::OkStatus();
  LogLevel level = LogLevel::kInfo;
  TROVE_RETURN_IF_ERROR(ParseLogLevel(config.log_level, &level));
  StartLogging("agent-sample", level);
  return agent::RunAgent(config, SampleDatastore::Make);
}

}  // namespace
}  // namespace trove::sample

int main(int argc, char** argv) {
  trove::rpc::BlockTerminationSignals();
  const absl::Status status = trove::sample::Main(argc, argv);
  if (!status.ok()) std::fprintf(stderr, "trove-agent-sample: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
