#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/agent/datastore.h"
#include "libtrove/agent/runtime.h"

namespace trove::sample {

/// The datastore `sample`, for tests of everything around an agent: a server that keeps one number
/// (sample_server.cc), configured by a file of `key=value`. It keeps the whole contract of a
/// Datastore, and takes milliseconds for what a database takes seconds for.
class SampleDatastore final : public agent::Datastore {
 public:
  static absl::StatusOr<std::unique_ptr<agent::Datastore>> Make(const agent::DatastoreParts& parts);

  absl::Status Validate(const agent::ServerSettings& settings) const override;
  absl::Status Prepare(const Call& call,
                       const agent::PrepareSpec& spec,
                       const agent::Progress& say) override;
  absl::Status Start(const Call& call,
                     const std::optional<agent::ServerSettings>& settings,
                     const agent::Progress& say) override;
  absl::Status Stop(const Call& call, const agent::Progress& say) override;
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
  agent::ServerHealth Check(const Call& call) override;

 private:
  using Config = std::map<std::string, std::string>;

  SampleDatastore(const agent::DatastoreParts& parts, std::filesystem::path programs);

  Config ConfigOf(const agent::ServerSettings& settings) const;
  absl::StatusOr<Config> Configured() const;
  absl::Status Write(const Config& config) const;
  std::filesystem::path ProgramOf(const Config& config) const;
  absl::Status Run(const Call& call, const Config& config, int most_ends) const;
  absl::Status Replace(const Call& call, const Config& before, const Config& config);
  absl::StatusOr<std::string> Ask(const Call& call, const std::string& line) const;
  std::string LastError() const;

  const agent::DatastoreParts parts_;
  const std::filesystem::path programs_;
  const std::filesystem::path data_dir_;
  const std::filesystem::path config_file_;
  const std::filesystem::path log_file_;
  std::atomic<std::uint64_t> answered_run_ = 0;  // which start of the server has answered; 0: none
};

}  // namespace trove::sample
