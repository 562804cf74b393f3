#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "agents/mariadb/connection.h"
#include "agents/mariadb/server_control.h"
#include "libtrove/agent/datastore.h"
#include "libtrove/agent/runtime.h"
#include "libtrove/base/mutex.h"

namespace trove::mariadb {

/// MariaDB. Data lies in `<volume>/data`; configuration in the guest's directory.
class MariadbDatastore final : public agent::Datastore {
 public:
  /// Errors: kNotFound: mariadbd is not installed.
  static absl::StatusOr<std::unique_ptr<agent::Datastore>> Make(const agent::DatastoreParts& parts);

  absl::Status Prepare(const Call& call,
                       const agent::PrepareSpec& spec,
                       const agent::Progress& say) override;
  absl::Status Validate(const agent::ServerSettings& settings) const override;
  absl::Status Start(const Call& call,
                     const std::optional<agent::ServerSettings>& settings,
                     const agent::Progress& say) override;
  absl::StatusOr<bool> Configure(const Call& call,
                                 const agent::ServerSettings& settings,
                                 agent::Restarting restarting,
                                 const agent::Progress& say) override;
  absl::Status Upgrade(const Call& call,
                       const agent::ServerSettings& settings,
                       const agent::PointOfNoReturn& committed,
                       const agent::Progress& say) override;
  absl::Status Adopt(const Call& call,
                     const agent::ServerSettings& settings,
                     const agent::Progress& say) override;
  absl::Status Stop(const Call& call, const agent::Progress& say) override;
  agent::ServerHealth Check(const Call& call) override;

 private:
  explicit MariadbDatastore(const agent::DatastoreParts& parts);

  // The health check's connection is of no use any more.
  void ForgetAnswers() TROVE_EXCLUDES(mutex_);
  absl::StatusOr<bool> Reconfigure(const Call& call,
                                   Connection& connection,
                                   const ServerConfig& running,
                                   const ServerConfig& config,
                                   const std::set<std::string>& asked,
                                   agent::Restarting restarting,
                                   const agent::Progress& say);
  absl::StatusOr<std::string> VersionBefore(const Call& call) const;
  absl::Status StopInOrder(const Call& call);

  const agent::DatastoreParts parts_;
  ServerControl server_;

  Mutex mutex_;
  std::unique_ptr<Connection> health_ TROVE_GUARDED_BY(mutex_);
  std::string version_ TROVE_GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> answered_run_ = 0;  // which start of the server has answered; 0: none
};

}  // namespace trove::mariadb
