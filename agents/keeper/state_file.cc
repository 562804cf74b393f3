#include "agents/keeper/state_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "agents/keeper/proc.h"

namespace trove::keeper {
namespace {

Error WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoError(errno, "write");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Error SyncDirectory(const std::string& path) {
  const UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) return ErrnoError(errno, "sync " + path);
  return {};
}

}  // namespace

std::string EncodeState(const State& state) {
  Fields fields;
  AddStatus(state.status, fields);
  fields.AddAll("command_arg", state.server.argv);
  fields.AddAll("command_env", state.server.environment);
  fields.Add("command_cwd", std::string_view(state.server.cwd));
  fields.Add("command_output", std::string_view(state.server.output));
  fields.Add("stop_signal", state.server_stop_signal);
  return fields.Encode();
}

Parsed<State> ParseState(std::string_view text) {
  Parsed<Fields> fields = Fields::Decode(text);
  if (!fields.value) return {{}, std::move(fields.error)};
  FieldReader reader(*fields.value);
  State state;
  ReadStatus(reader, state.status);
  if (state.status.guest_id.empty()) reader.Missing("guest_id");
  reader.Read("command_arg", state.server.argv);
  reader.Read("command_env", state.server.environment);
  reader.Read("command_cwd", state.server.cwd);
  reader.Read("command_output", state.server.output);
  reader.Read("stop_signal", state.server_stop_signal);
  // Keys left over are a newer keeper's; they do not concern us.
  if (!reader.error().empty()) return {{}, reader.error()};
  return {std::move(state), {}};
}

StateFile::StateFile(std::string guest_dir, UniqueFd lock)
    : guest_dir_(std::move(guest_dir)),
      state_path_(guest_dir_ + "/keeper.state"),
      deadline_path_(guest_dir_ + "/keeper.deadline"),
      lock_(std::move(lock)) {}

Parsed<StateFile> StateFile::Open(const std::string& guest_dir, bool* held) {
  *held = false;
  const std::string path = guest_dir + "/keeper.lock";
  UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return {{}, ErrnoError(errno, "open " + path)};
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    *held = errno == EWOULDBLOCK;
    return {{}, ErrnoError(errno, *held ? "another keeper holds " + path : "lock " + path)};
  }
  return {StateFile(guest_dir, std::move(lock)), {}};
}

Parsed<State> StateFile::Read() const {
  if (::access(state_path_.c_str(), F_OK) != 0 && errno == ENOENT) return {State{}, {}};
  const std::optional<std::string> text = ReadSmallFile(state_path_, kMaxFileBytes);
  if (!text) return {{}, "cannot read " + state_path_};
  Parsed<State> state = ParseState(*text);
  if (!state.value) state.error = state_path_ + " is damaged: " + state.error;
  return state;
}

Error StateFile::Replace(const std::string& path, const std::string& text, Sync sync) const {
  const std::string fresh = path + ".new";
  const UniqueFd file(
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return ErrnoError(errno, "open " + fresh);
  Error error = WriteAll(file.get(), text);
  if (error.empty() && sync == Sync::kYes && ::fsync(file.get()) != 0)
    error = ErrnoError(errno, "sync");
  if (error.empty() && ::rename(fresh.c_str(), path.c_str()) != 0)
    error = ErrnoError(errno, "rename");
  if (!error.empty()) {
    ::unlink(fresh.c_str());
    return fresh + ": " + error;
  }
  return sync == Sync::kYes ? SyncDirectory(guest_dir_) : Error{};
}

Error StateFile::Write(const State& state) const {
  return Replace(state_path_, EncodeState(state), Sync::kYes);
}

Error StateFile::WriteDeadline(const std::string& boot_id, std::optional<BootTime> deadline) const {
  if (!deadline) {
    if (::unlink(deadline_path_.c_str()) == 0 || errno == ENOENT) return {};
    return ErrnoError(errno, "remove " + deadline_path_);
  }
  Fields fields;
  fields.Add("boot_id", std::string_view(boot_id));
  fields.Add("deadline_ns", std::int64_t{deadline->count()});
  return Replace(deadline_path_, fields.Encode(), Sync::kNo);
}

std::optional<BootTime> StateFile::ReadDeadline(const std::string& boot_id) const {
  const std::optional<std::string> text = ReadSmallFile(deadline_path_, kMaxFileBytes);
  Parsed<Fields> fields = Fields::Decode(text.value_or(""));
  if (!fields.value) return std::nullopt;
  FieldReader reader(*fields.value);
  std::string written_in;
  std::optional<std::int64_t> deadline_ns;
  reader.Read("boot_id", written_in);
  reader.Read("deadline_ns", deadline_ns);
  if (!reader.error().empty() || written_in != boot_id || !deadline_ns) return std::nullopt;
  return BootTime(*deadline_ns);
}

}  // namespace trove::keeper
