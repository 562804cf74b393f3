#include "libtrove/agent/guest_state.h"

#include <charconv>
#include <string>

#include <absl/time/clock.h>
#include <absl/time/time.h>

#include "libtrove/base/files.h"
#include "libtrove/base/status_macros.h"

namespace trove::agent {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<std::int64_t> ReadNumber(const fs::path& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return 0;
  TROVE_RETURN_IF_ERROR(text.status());
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc()) return absl::InternalError(path.string() + " holds no number");
  return number;
}

absl::Status WriteNumber(const fs::path& path, std::int64_t number) {
  return WriteFileAtomically(path, std::to_string(number), 0600);
}

}  // namespace

absl::StatusOr<std::unique_ptr<GuestState>> GuestState::Open(fs::path guest_dir) {
  std::unique_ptr<GuestState> state(new GuestState(std::move(guest_dir)));
  const fs::path& folder = state->guest_dir_;
  TROVE_ASSIGN_OR_RETURN(const std::int64_t before, ReadNumber(folder / "incarnation"));
  // A guest that is made anew forgets how often its agent was started, and still must not seem to
  // be an older one: the first start of each life counts from the time.
  state->incarnation_ = before == 0 ? absl::ToUnixMillis(absl::Now()) : before + 1;
  TROVE_RETURN_IF_ERROR(WriteNumber(folder / "incarnation", state->incarnation_));
  TROVE_ASSIGN_OR_RETURN(state->generation_, ReadNumber(folder / "generation"));
  state->prepared_ = fs::exists(folder / "prepared");
  state->wanted_ = fs::exists(folder / "wanted");
  // Guests of earlier releases have none.
  if (const absl::StatusOr<std::string> bytes = ReadFile(folder / "settings"); bytes.ok()) {
    mesh::v1::ServerSettings message;
    if (!message.ParseFromString(*bytes))
      return absl::InternalError((folder / "settings").string() + " holds no settings");
    const MutexLock lock(state->mutex_);
    state->settings_ = FromMessage(message);
  } else if (!absl::IsNotFound(bytes.status())) {
    return bytes.status();
  }
  return state;
}

absl::Status GuestState::RaiseGeneration(std::int64_t generation) {
  const std::int64_t highest = generation_;
  if (generation < highest) {
    return absl::AbortedError("generation " + std::to_string(generation) +
                              " is stale: " + std::to_string(highest) + " has been seen");
  }
  if (generation == highest) return absl::OkStatus();
  TROVE_RETURN_IF_ERROR(WriteNumber(guest_dir_ / "generation", generation));
  generation_ = generation;
  return absl::OkStatus();
}

absl::Status GuestState::SetPrepared() {
  TROVE_RETURN_IF_ERROR(WriteFileAtomically(guest_dir_ / "prepared", "", 0600));
  prepared_ = true;
  return absl::OkStatus();
}

absl::Status GuestState::SetWanted(bool wanted) {
  if (wanted) {
    TROVE_RETURN_IF_ERROR(WriteFileAtomically(guest_dir_ / "wanted", "", 0600));
  } else {
    TROVE_RETURN_IF_ERROR(RemoveTree(guest_dir_ / "wanted"));
  }
  wanted_ = wanted;
  return absl::OkStatus();
}

std::optional<ServerSettings> GuestState::settings() const {
  const MutexLock lock(mutex_);
  return settings_;
}

absl::Status GuestState::SetSettings(const ServerSettings& settings) {
  TROVE_RETURN_IF_ERROR(
      WriteFileAtomically(guest_dir_ / "settings", ToMessage(settings).SerializeAsString(), 0600));
  const MutexLock lock(mutex_);
  settings_ = settings;
  return absl::OkStatus();
}

}  // namespace trove::agent
