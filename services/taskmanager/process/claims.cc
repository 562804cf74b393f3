#include "services/taskmanager/process/claims.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include <absl/strings/numbers.h>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/unique_fd.h"

namespace trove::taskmanager {

namespace fs = std::filesystem;

absl::StatusOr<Claims> Claims::Open(fs::path folder, std::string owner_prefix) {
  std::error_code error;
  if (!fs::exists(folder.parent_path(), error)) {
    TROVE_RETURN_IF_ERROR(MakeDirectory(folder.parent_path(), 0755));
  }
  // It may lie in a folder where everybody writes.
  TROVE_RETURN_IF_ERROR(MakePrivateDirectory(folder));
  return Claims(std::move(folder), std::move(owner_prefix));
}

fs::path Claims::PathOf(const std::string& kind, int number) const {
  return folder_ / (kind + "-" + std::to_string(number));
}

absl::StatusOr<bool> Claims::Take(const std::string& kind,
                                  int number,
                                  const std::string& guest) const {
  const std::string owner = owner_prefix_ + "/" + guest;
  const fs::path path = PathOf(kind, number);
  // Written without a name and then linked into place: no claim is ever without its owner, and
  // whoever is killed in between leaves nothing.
  const UniqueFd file(::open(folder_.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  if (!file) return ErrnoStatus(errno, "make a claim in " + folder_.string());
  if (::write(file.get(), owner.data(), owner.size()) != static_cast<ssize_t>(owner.size())) {
    return ErrnoStatus(errno, "write a claim in " + folder_.string());
  }
  const std::string unnamed = "/proc/self/fd/" + std::to_string(file.get());
  if (::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0) {
    return true;
  }
  if (errno != EEXIST) return ErrnoStatus(errno, "claim " + path.string());
  const absl::StatusOr<std::string> holder = ReadFile(path);
  if (absl::IsNotFound(holder.status())) return false;  // given back just now: take another
  TROVE_RETURN_IF_ERROR(holder.status());
  return *holder == owner;
}

absl::Status Claims::Return(const std::string& kind, int number, const std::string& guest) const {
  const fs::path path = PathOf(kind, number);
  const absl::StatusOr<std::string> holder = ReadFile(path);
  if (absl::IsNotFound(holder.status())) return absl::OkStatus();
  TROVE_RETURN_IF_ERROR(holder.status());
  if (*holder != owner_prefix_ + "/" + guest) return absl::OkStatus();
  return RemoveTree(path);
}

absl::StatusOr<std::vector<Claims::Claim>> Claims::List() const {
  std::vector<Claim> claims;
  std::error_code error;
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    const std::size_t dash = name.rfind('-');
    int number = 0;
    if (dash == std::string::npos || !absl::SimpleAtoi(name.substr(dash + 1), &number)) continue;
    const absl::StatusOr<std::string> owner = ReadFile(at->path());
    if (!owner.ok() || !owner->starts_with(owner_prefix_ + "/"))
      continue;  // or given back just now
    claims.push_back({name.substr(0, dash), number, owner->substr(owner_prefix_.size() + 1)});
  }
  if (error) return ErrnoStatus(error.value(), "list " + folder_.string());
  return claims;
}

fs::path DefaultClaimsFolder() {
  if (::geteuid() == 0) return "/run/trove/claims";
  return "/tmp/trove-claims-" + std::to_string(::geteuid());
}

}  // namespace trove::taskmanager
