#include "tools/trovectl/launch/layout.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/identity/spiffe.h"

namespace trove::trovectl {
namespace {

namespace fs = std::filesystem;

}  // namespace

absl::StatusOr<fs::path> DefaultDataDirectory() {
  if (::geteuid() == 0) return fs::path("/var/lib/trove");
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') {
    return absl::FailedPreconditionError(
        "$HOME is not set: say with --data-dir where the mesh's data lies");
  }
  return fs::path(home) / ".local/share/trove";
}

absl::Status CheckOthersCanEnter(const fs::path& path) {
  fs::path folder;
  for (const fs::path& part : path) {
    folder /= part;
    struct stat found {};
    if (::stat(folder.c_str(), &found) != 0) {
      if (errno == ENOENT) return absl::OkStatus();
      return ErrnoStatus(errno, "look at " + folder.string());
    }
    if (!S_ISDIR(found.st_mode))
      return absl::FailedPreconditionError(folder.string() + " is not a folder");
    if ((found.st_mode & S_IXOTH) == 0) {
      return absl::FailedPreconditionError(
          "the databases run as users of their own and cannot enter " + folder.string() +
          ": run `chmod o+x " + folder.string() + "`, or choose another --data-dir");
    }
  }
  return absl::OkStatus();
}

absl::Status PrepareLayout(const Layout& layout) {
  // Of the folder itself we set the mode; of those above it others decide.
  if (::geteuid() == 0) TROVE_RETURN_IF_ERROR(CheckOthersCanEnter(layout.data_dir.parent_path()));
  if (const absl::Status made = MakeDirectory(layout.data_dir, 0711); !made.ok())
    return Annotate(made, "the data directory cannot be made or used; choose one with --data-dir");
  if (::access(layout.data_dir.c_str(), W_OK) != 0) {
    return Annotate(ErrnoStatus(errno, layout.data_dir.string()),
                    "the data directory cannot be written to; choose one with --data-dir");
  }
  TROVE_RETURN_IF_ERROR(MakeDirectory(layout.Datastores(), 0755));
  for (const fs::path& folder : {layout.Secrets(),
                                 layout.Services(),
                                 layout.StoreFile().parent_path(),
                                 layout.Nats(),
                                 layout.Logs(),
                                 layout.Run()}) {
    TROVE_RETURN_IF_ERROR(MakeDirectory(folder, 0700));
  }
  return absl::OkStatus();
}

absl::StatusOr<fs::path> PrepareSocketDirectory(const std::string& mesh_id) {
  if (::geteuid() == 0) {
    const fs::path folder = fs::path("/run/trove") / mesh_id;
    TROVE_RETURN_IF_ERROR(MakeDirectory(folder.parent_path(), 0711));
    TROVE_RETURN_IF_ERROR(MakeDirectory(folder, 0711));
    return folder;
  }
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  std::error_code error;
  if (runtime != nullptr && fs::is_directory(runtime, error) && ::access(runtime, W_OK) == 0) {
    const fs::path folder = fs::path(runtime) / ("trove-" + mesh_id);
    TROVE_RETURN_IF_ERROR(MakePrivateDirectory(folder));
    return folder;
  }
  const fs::path folder = "/tmp/trove-" + std::to_string(::geteuid()) + "-" + mesh_id;
  TROVE_RETURN_IF_ERROR(MakePrivateDirectory(folder));
  return folder;
}

void TidySocketDirectory(const fs::path& folder) {
  ::rmdir(folder.c_str());  // which fails when there is something in it
}

absl::StatusOr<std::string> ReadMeshId(const Layout& layout) {
  TROVE_ASSIGN_OR_RETURN(std::string id, ReadFile(layout.MeshId()));
  while (!id.empty() && id.back() == '\n')
    id.pop_back();
  if (!identity::IsMeshId(id)) {
    return absl::FailedPreconditionError(layout.MeshId().string() +
                                         " does not hold a mesh's id (8 hex characters)");
  }
  return id;
}

}  // namespace trove::trovectl
