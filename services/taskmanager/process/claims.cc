#include "services/taskmanager/process/claims.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"

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
  // Made whole beside and linked into place, so that no claim is ever without its owner.
  const fs::path beside = folder_ / (".new-" + RandomHex(8));
  TROVE_RETURN_IF_ERROR(WriteFileAtomically(beside, owner, 0600));
  const int error = ::link(beside.c_str(), path.c_str()) == 0 ? 0 : errno;
  ::unlink(beside.c_str());
  if (error == 0) return true;
  if (error != EEXIST) return ErrnoStatus(error, "claim " + path.string());
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

fs::path DefaultClaimsFolder() {
  if (::geteuid() == 0) return "/run/trove/claims";
  return "/tmp/trove-claims-" + std::to_string(::geteuid());
}

}  // namespace trove::taskmanager
