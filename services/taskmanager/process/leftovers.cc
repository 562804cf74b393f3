// What the process provisioner sees and removes besides guests that are acted on: volumes, what a
// crash left, and keepers that end.

#include <sys/stat.h>

#include <chrono>
#include <system_error>
#include <utility>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "services/taskmanager/process/process_provisioner.h"

namespace trove::taskmanager {
namespace {

namespace fs = std::filesystem;

// A volume in the making has this name; nobody works that long on one.
constexpr char kHalfMade[] = ".new-";
constexpr std::chrono::hours kHalfMadeFor{1};

bool IsOfUser(const fs::path& path, int uid) {
  struct stat about {};
  return ::lstat(path.c_str(), &about) == 0 && about.st_uid == static_cast<uid_t>(uid);
}

absl::StatusOr<std::vector<fs::path>> EntriesOf(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    entries.push_back(at->path());
  if (error) return ErrnoStatus(error.value(), "list " + folder.string());
  return entries;
}

}  // namespace

absl::StatusOr<std::vector<VolumeId>> ProcessProvisioner::ListVolumes(const Call& /*call*/) {
  TROVE_ASSIGN_OR_RETURN(const std::vector<fs::path> entries, EntriesOf(layout_.Volumes()));
  std::vector<VolumeId> volumes;
  for (const fs::path& entry : entries) {
    if (IsUuid(entry.filename().string())) volumes.emplace_back(entry.filename().string());
  }
  return volumes;
}

absl::StatusOr<std::vector<std::string>> ProcessProvisioner::Sweep(
    const Call& call, const std::function<absl::StatusOr<bool>(const GuestId&)>& is_buried) {
  std::vector<std::string> swept;
  TROVE_ASSIGN_OR_RETURN(const std::vector<Claims::Claim> claims, claims_.List());
  TROVE_ASSIGN_OR_RETURN(const std::vector<fs::path> volumes, EntriesOf(layout_.Volumes()));
  for (const Claims::Claim& claim : claims) {
    TROVE_RETURN_IF_ERROR(call.Check());
    if (!IsUuid(claim.guest)) continue;  // of no guest: the builder of templates
    TROVE_ASSIGN_OR_RETURN(const bool buried, is_buried(GuestId(claim.guest)));
    if (!buried) continue;
    // Whoever got this user next could read it.
    bool has_data = false;
    for (const fs::path& volume : volumes)
      has_data = has_data || (claim.kind == "uid" && IsOfUser(volume, claim.number));
    if (has_data) continue;
    TROVE_ASSIGN_OR_RETURN(const GuestRecords::Hold hold,
                           records_.Lock(call, GuestId(claim.guest)));
    TROVE_RETURN_IF_ERROR(claims_.Return(claim.kind, claim.number, claim.guest));
    swept.push_back("claim " + claim.kind + "-" + std::to_string(claim.number));
  }
  TROVE_ASSIGN_OR_RETURN(const std::vector<fs::path> trash, EntriesOf(layout_.Trash()));
  for (const fs::path& entry : trash) {
    TROVE_RETURN_IF_ERROR(call.Check());
    // Somebody may be at it, too.
    if (RemoveTree(entry).ok()) swept.push_back("trash " + entry.filename().string());
  }
  for (const fs::path& entry : volumes) {
    std::error_code error;
    if (!entry.filename().string().starts_with(kHalfMade)) continue;
    const auto made = fs::last_write_time(entry, error);
    if (error || fs::file_time_type::clock::now() - made < kHalfMadeFor) continue;
    TROVE_RETURN_IF_ERROR(RemoveTree(entry));
    swept.push_back("volume " + entry.filename().string());
  }
  return swept;
}

absl::Status ProcessProvisioner::ReplaceAgent(const Call& call, const GuestRef& guest) {
  TROVE_ASSIGN_OR_RETURN(const Held held, Hold(call, guest));
  std::error_code error;
  if (!fs::exists(layout_.KeeperSpec(guest.guest_id), error))
    return absl::NotFoundError("guest " + guest.guest_id.value() + " is not on this host");
  // The mark outlives a crash: the next Ensure would do it then.
  TROVE_RETURN_IF_ERROR(WriteFileAtomically(layout_.OldAgentMark(guest.guest_id), "", 0600));
  return ReplaceOldAgent(call, guest);
}

void ProcessProvisioner::OnGuestEnded(std::function<void(const GuestId&)> heard) {
  keepers_->SetHeard(std::move(heard));
}

void ProcessProvisioner::WatchKeeper(const GuestId& guest, pid_t keeper) const {
  if (keeper <= 0) return;
  const absl::Status watched = keepers_->Watch(guest, keeper);
  // Its death is seen at the next look then.
  if (!watched.ok())
    log_.Warning("a keeper is not watched", {{"guest", guest.value()}, {"error", watched}});
}

}  // namespace trove::taskmanager
