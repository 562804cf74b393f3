#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agents/keeper/clock.h"
#include "agents/keeper/error.h"
#include "libtrove/agent/keeper_protocol.h"
#include "libtrove/base/unique_fd.h"

namespace trove::keeper {

/// What the next keeper of this guest must know.
struct State {
  KeeperStatus status;  ///< who ran, how it ended, the highest generation
  Command server;       ///< so that a server with `restart` can be started again
  int server_stop_signal = SIGTERM;

  friend bool operator==(const State&, const State&) = default;
};

std::string EncodeState(const State& state);
Parsed<State> ParseState(std::string_view text);

/// The keeper's own files in the guest's directory. They belong to the guest's uid, so all this is
/// done only after the drop. The directory is locked for as long as this lives.
class StateFile {
 public:
  /// `held` tells a lock that somebody else holds from any other error.
  static Parsed<StateFile> Open(const std::string& guest_dir, bool* held);

  /// The state that was written last; a fresh one when there never was any. An error when there is
  /// one that cannot be read: what it said (a generation, a running server) must not be forgotten.
  Parsed<State> Read() const;

  /// Replaces the state, whole or not at all, and returns when it will survive a power cut.
  Error Write(const State& state) const;

  /// The armed deadline. Means something in this boot only, so it is renamed into place but not
  /// fsynced: it is written each time the agent arms it anew.
  Error WriteDeadline(const std::string& boot_id, std::optional<BootTime> deadline) const;
  std::optional<BootTime> ReadDeadline(const std::string& boot_id) const;

 private:
  StateFile(std::string guest_dir, UniqueFd lock);

  enum class Sync { kNo, kYes };
  Error Replace(const std::string& path, const std::string& text, Sync sync) const;

  std::string guest_dir_;
  std::string state_path_;
  std::string deadline_path_;
  UniqueFd lock_;
};

}  // namespace trove::keeper
