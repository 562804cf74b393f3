#pragma once

#include <functional>
#include <memory>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/agent/agent_config.h"
#include "libtrove/agent/datastore.h"
#include "libtrove/agent/guest_identity.h"
#include "libtrove/agent/guest_state.h"
#include "libtrove/agent/server_process.h"
#include "libtrove/base/log.h"
#include "libtrove/base/secret.h"

namespace trove::agent {

/// What a datastore is made of.
struct DatastoreParts {
  const AgentConfig& config;
  const IdentityFiles& files;  ///< the server's certificate among them
  const GuestState& state;
  const ServerProcess& server;
  Secret server_password;  ///< for the agent's own account in the server
  Log log;
};

/// Makes the datastore of one agent. The parts outlive it.
using MakeDatastore =
    std::function<absl::StatusOr<std::unique_ptr<Datastore>>(const DatastoreParts& parts)>;

/// The whole life of a guest agent: enrols, joins the bus, takes jobs, sends heartbeats, opens its
/// door, until SIGTERM. The database server goes on running after it. Call
/// rpc::BlockTerminationSignals before.
absl::Status RunAgent(const AgentConfig& config, const MakeDatastore& make_datastore);

}  // namespace trove::agent
