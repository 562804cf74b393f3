#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/agent/server_settings.h"
#include "libtrove/base/mutex.h"

namespace trove::agent {

/// The few facts that a guest must not forget: files in its directory. Reading is thread-safe,
/// changing one of them is for one thread at a time.
class GuestState {
 public:
  /// Reads what is there and counts this start of the agent. Errors: as files.h.
  static absl::StatusOr<std::unique_ptr<GuestState>> Open(std::filesystem::path guest_dir);

  /// Which start of the agent this is: more than any before, also in an earlier life of the guest.
  std::int64_t incarnation() const { return incarnation_; }

  /// The highest generation seen: who comes with a lower one has lost the guest.
  std::int64_t generation() const { return generation_; }
  /// Remembers a higher generation. Errors: kAborted: it is lower than one seen.
  absl::Status RaiseGeneration(std::int64_t generation);

  /// Whether the volume holds a working server.
  bool prepared() const { return prepared_; }
  absl::Status SetPrepared();

  /// Whether the server is meant to run.
  bool wanted() const { return wanted_; }
  absl::Status SetWanted(bool wanted);
  /// What the next start of the server uses; nothing: whatever it was started with last.
  std::optional<ServerSettings> settings() const TROVE_EXCLUDES(mutex_);
  absl::Status SetSettings(const ServerSettings& settings) TROVE_EXCLUDES(mutex_);

 private:
  explicit GuestState(std::filesystem::path guest_dir) : guest_dir_(std::move(guest_dir)) {}

  const std::filesystem::path guest_dir_;
  std::int64_t incarnation_ = 0;
  std::atomic<std::int64_t> generation_ = 0;
  std::atomic<bool> prepared_ = false;
  std::atomic<bool> wanted_ = false;
  mutable Mutex mutex_;
  std::optional<ServerSettings> settings_ TROVE_GUARDED_BY(mutex_);
};

}  // namespace trove::agent
