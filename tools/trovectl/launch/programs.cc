#include "tools/trovectl/launch/programs.h"

#include <unistd.h>

#include <cstdlib>
#include <system_error>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/subprocess.h"
#include "libtrove/base/uuid.h"

namespace trove::trovectl {
namespace {

namespace fs = std::filesystem;

bool HoldsManifests(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (fs::exists(at->path() / "manifest.yaml", error)) return true;
  }
  return false;
}

absl::StatusOr<fs::path> FindManifests(const fs::path& programs) {
  if (const fs::path installed = programs.parent_path() / "share/trove"; HoldsManifests(installed))
    return installed;
  for (fs::path folder = programs; folder != folder.parent_path(); folder = folder.parent_path()) {
    if (HoldsManifests(folder / "agents")) return folder / "agents";
  }
  return absl::FailedPreconditionError("no datastore's manifest.yaml was found: neither in " +
                                       (programs.parent_path() / "share/trove").string() +
                                       " nor in an `agents` folder above " + programs.string() +
                                       "; the installation is not complete");
}

bool IsForGuests(const std::string& name) {
  return name == "trove-keeper" || name.starts_with("trove-agent-");
}

// Replaces the file whole: a guest may be running the old one.
absl::Status CopyProgram(const fs::path& from, const fs::path& to) {
  std::error_code error;
  const fs::path beside = to.string() + "." + RandomHex(4) + ".tmp";
  fs::copy_file(from, beside, error);
  if (!error) fs::permissions(beside, fs::perms(0755), error);
  if (!error) fs::last_write_time(beside, fs::last_write_time(from), error);
  if (!error) fs::rename(beside, to, error);
  if (!error) return absl::OkStatus();
  const absl::Status failed =
      ErrnoStatus(error.value(), "copy " + from.string() + " to " + to.string());
  fs::remove(beside, error);
  return failed;
}

bool IsSame(const fs::path& a, const fs::path& b) {
  std::error_code error;
  if (!fs::exists(b, error) || fs::file_size(a, error) != fs::file_size(b, error)) return false;
  return fs::last_write_time(a, error) == fs::last_write_time(b, error) && !error;
}

}  // namespace

absl::StatusOr<Programs> FindPrograms() {
  Programs programs;
  TROVE_ASSIGN_OR_RETURN(programs.folder, ExecutableDirectory());
  for (const char* name :
       {"trove-api", "trove-gateway", "trove-taskmanager", "trove-conductor", "trove-keeper"}) {
    const fs::path program = programs.folder / name;
    if (::access(program.c_str(), X_OK) != 0) {
      return absl::FailedPreconditionError("there is no " + program.string() +
                                           ": the programs of Trove belong beside trovectl");
    }
  }
  TROVE_ASSIGN_OR_RETURN(programs.manifests, FindManifests(programs.folder));
  absl::StatusOr<fs::path> nats_server = FindProgram("nats-server");
  if (!nats_server.ok()) {
    return absl::FailedPreconditionError(
        "nats-server is not installed: run `apt-get install nats-server`");
  }
  programs.nats_server = *std::move(nats_server);
  return programs;
}

absl::StatusOr<fs::path> PrepareGuestPrograms(const Layout& layout, const Programs& programs) {
  if (::geteuid() != 0 || CheckOthersCanEnter(programs.folder).ok()) return programs.folder;
  const fs::path copies = layout.data_dir / "programs";
  TROVE_RETURN_IF_ERROR(MakeDirectory(copies, 0711));
  std::error_code error;
  for (fs::directory_iterator at(programs.folder, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename();
    if (!IsForGuests(name) || IsSame(at->path(), copies / name)) continue;
    TROVE_RETURN_IF_ERROR(CopyProgram(at->path(), copies / name));
  }
  if (error) return ErrnoStatus(error.value(), "list " + programs.folder.string());
  return copies;
}

std::vector<std::string> ChildEnvironment() {
  std::vector<std::string> environment;
  for (const char* name : {"PATH", "HOME", "LANG", "TZ", "TMPDIR"}) {
    if (const char* value = std::getenv(name))
      environment.push_back(std::string(name) + "=" + value);
  }
  return environment;
}

}  // namespace trove::trovectl
