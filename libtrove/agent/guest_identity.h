#pragma once

#include <filesystem>
#include <string>

#include <absl/status/statusor.h>

#include "libtrove/agent/agent_config.h"
#include "libtrove/base/call.h"
#include "libtrove/base/log.h"
#include "libtrove/base/secret.h"
#include "libtrove/identity/job_signing.h"
#include "libtrove/identity/keys.h"
#include "libtrove/identity/nats_jwt.h"

namespace trove::agent {

/// Where a guest keeps who it is: files in `<guest_dir>/identity`, 0600 in a folder of 0700.
struct IdentityFiles {
  explicit IdentityFiles(const std::filesystem::path& guest_dir);

  std::filesystem::path folder;
  std::filesystem::path mesh_key;
  std::filesystem::path mesh_certificate;
  std::filesystem::path mesh_authority;
  std::filesystem::path endpoint_key;          ///< of the database server
  std::filesystem::path endpoint_certificate;  ///< of the database server
  std::filesystem::path endpoint_authority;
  std::filesystem::path nats_seed;
  std::filesystem::path nats_jwt;
  std::filesystem::path sealing_key;
  std::filesystem::path job_keys;
  std::filesystem::path complete;  ///< written last: the guest has enrolled
};

/// Who a guest is, once it has enrolled.
struct GuestIdentity {
  IdentityFiles files;
  identity::PrivateKey sealing_key;
  identity::JobVerifier job_verifier;
  identity::NatsCredentials nats;
};

/// A password for the agent's own account in its server, the same at each start: made from the
/// guest's own key (HMAC-SHA256, 64 hex characters), so that it is written down nowhere.
Secret ServerPasswordOf(const identity::PrivateKey& sealing_key);

/// Reads who the guest is; when it has not enrolled yet, makes its keys (kept across restarts, so
/// that the token works again when an answer was lost) and enrols with the conductor, trying again
/// until the call ends while the conductor cannot be reached.
/// Errors: kUnauthenticated: the token is not accepted; kInternal: the files are damaged; those of
/// the call.
absl::StatusOr<GuestIdentity> LoadOrEnrol(const Call& call,
                                          const AgentConfig& config,
                                          const Log& log);

}  // namespace trove::agent
