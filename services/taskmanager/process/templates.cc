#include "services/taskmanager/process/templates.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <vector>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/subprocess.h"
#include "libtrove/base/unique_fd.h"
#include "libtrove/base/uuid.h"

namespace trove::taskmanager {
namespace {

namespace fs = std::filesystem;

constexpr int kLockPollMs = 20;

absl::StatusOr<UniqueFd> LockFile(const Call& call, const fs::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return ErrnoStatus(errno, "open " + path.string());
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return ErrnoStatus(errno, "lock " + path.string());
    TROVE_RETURN_IF_ERROR(Annotate(call.Check(), "wait for the template to be built"));
    ::poll(nullptr, 0, kLockPollMs);
  }
  return fd;
}

// A tree that cannot be removed now is removed the next time.
void RemoveLeftovers(const fs::path& folder, const std::string& prefix) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().filename().string().starts_with(prefix)) {
      RemoveTree(entry.path()).IgnoreError();
    }
  }
}

}  // namespace

absl::Status ChownTree(const fs::path& root, int uid) {
  if (uid == 0) return absl::OkStatus();
  const auto own = [uid](const fs::path& path) {
    return ::lchown(path.c_str(), static_cast<uid_t>(uid), static_cast<gid_t>(uid)) == 0
               ? absl::OkStatus()
               : ErrnoStatus(errno, "chown " + path.string());
  };
  TROVE_RETURN_IF_ERROR(own(root));
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(root, error)) {
    TROVE_RETURN_IF_ERROR(own(entry.path()));
  }
  if (error) return ErrnoStatus(error.value(), "walk " + root.string());
  return absl::OkStatus();
}

absl::Status CopyTree(const fs::path& from, const fs::path& to, int uid) {
  std::error_code error;
  fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
  if (error) return ErrnoStatus(error.value(), "copy " + from.string() + " to " + to.string());
  return ChownTree(to, uid);
}

absl::Status Templates::Ensure(const Call& call, const DatastoreVersion& version) const {
  std::error_code error;
  if (fs::exists(layout_.Template(version.id), error)) return absl::OkStatus();
  TROVE_ASSIGN_OR_RETURN(const UniqueFd lock,
                         LockFile(call, layout_.Templates() / (version.id.value() + ".lock")));
  if (fs::exists(layout_.Template(version.id), error)) return absl::OkStatus();
  return Annotate(Build(call, version),
                  "build the template of " + version.datastore_name + " " + version.name);
}

absl::Status Templates::Build(const Call& call, const DatastoreVersion& version) const {
  // Among the volumes, as the builder cannot enter the templates' folder. What an earlier builder
  // left when it was killed goes first; it may still be ending, hence a new name each time.
  const std::string prefix = ".template-" + version.id.value() + "-";
  RemoveLeftovers(layout_.Volumes(), prefix);
  const fs::path beside = layout_.Volumes() / (prefix + RandomHex(4));
  TROVE_RETURN_IF_ERROR(MakeDirectory(beside, 0700));
  TROVE_RETURN_IF_ERROR(ChownTree(beside, uid_));
  ProgramSpec spec;
  if (uid_ != 0) {
    const std::string uid = std::to_string(uid_);
    spec.argv = {programs_.Keeper(), "--exec", "--uid", uid, "--gid", uid, "--"};
  }
  spec.argv.push_back(programs_.Agent(version.agent));
  spec.argv.emplace_back("--build-template");
  spec.argv.push_back(beside);
  if (!version.engine.empty()) spec.argv.push_back(version.engine);
  spec.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  const absl::StatusOr<ProgramResult> result = RunProgram(call, spec);
  absl::Status built = result.status();
  if (built.ok() && result->exit_code != 0) {
    built = absl::FailedPreconditionError(result->output);
  }
  // A power cut must not leave a template in place whose files are empty.
  if (built.ok()) built = SyncFileSystem(beside);
  if (built.ok()) {
    std::error_code error;
    fs::rename(beside, layout_.Template(version.id), error);
    if (error) built = ErrnoStatus(error.value(), "move the template into place");
  }
  if (!built.ok()) RemoveTree(beside).IgnoreError();  // the first error says more
  return built;
}

}  // namespace trove::taskmanager
