#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "agents/mariadb/connection.h"
#include "libtrove/agent/datastore.h"
#include "libtrove/agent/runtime.h"
#include "libtrove/base/mutex.h"

namespace trove::mariadb {

/// MariaDB 10.11. Data lies in `<volume>/data`; configuration in the guest's directory.
class MariadbDatastore final : public agent::Datastore {
 public:
  /// Errors: kNotFound: mariadbd is not installed.
  static absl::StatusOr<std::unique_ptr<agent::Datastore>> Make(const agent::DatastoreParts& parts);

  absl::Status Prepare(const Call& call,
                       const agent::PrepareSpec& spec,
                       const agent::Progress& say) override;
  absl::Status Start(const Call& call, const agent::Progress& say) override;
  absl::Status Stop(const Call& call, const agent::Progress& say) override;
  agent::ServerHealth Check(const Call& call) override;

 private:
  MariadbDatastore(const agent::DatastoreParts& parts, std::filesystem::path server_program);

  std::string ConfigOf(const agent::PrepareSpec& spec) const;
  absl::Status StopUnlessConfigured(const Call& call, const std::string& config) const;
  absl::Status StartServer(const Call& call) const;
  absl::StatusOr<std::unique_ptr<Connection>> ConnectWhenReady(const Call& call,
                                                               const std::string& user,
                                                               const Secret& password) const;
  std::string LastLogLines() const;

  const agent::DatastoreParts parts_;
  const std::filesystem::path server_program_;
  const std::filesystem::path data_dir_;
  const std::filesystem::path tmp_dir_;
  const std::filesystem::path config_file_;
  const std::filesystem::path log_file_;

  Mutex mutex_;
  std::unique_ptr<Connection> health_ TROVE_GUARDED_BY(mutex_);
  std::string version_ TROVE_GUARDED_BY(mutex_);
  std::atomic<std::uint64_t> answered_run_ = 0;  // which start of the server has answered; 0: none
};

}  // namespace trove::mariadb
