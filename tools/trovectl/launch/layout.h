#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace trove::trovectl {

/// Where everything of a mesh lies that one machine holds.
struct Layout {
  std::filesystem::path data_dir;  ///< absolute

  std::filesystem::path MeshId() const { return data_dir / "mesh-id"; }
  std::filesystem::path Settings() const { return data_dir / "trove.yaml"; }
  std::filesystem::path ClientEnvironment() const { return data_dir / "client.env"; }
  std::filesystem::path EndpointCa() const { return data_dir / "endpoint-ca.pem"; }
  std::filesystem::path Secrets() const { return data_dir / "secrets"; }
  std::filesystem::path Secret(const std::string& name) const { return Secrets() / name; }
  std::filesystem::path Services() const { return data_dir / "services"; }
  std::filesystem::path Service(const std::string& service) const { return Services() / service; }
  std::filesystem::path StoreFile() const { return data_dir / "store" / "trove.db"; }
  std::filesystem::path Datastores() const { return data_dir / "datastores"; }
  std::filesystem::path Nats() const { return data_dir / "nats"; }
  std::filesystem::path Logs() const { return data_dir / "logs"; }
  std::filesystem::path Log(const std::string& program) const {
    return Logs() / (program + ".log");
  }
  std::filesystem::path Run() const { return data_dir / "run"; }
  std::filesystem::path Lock() const { return Run() / "launcher.lock"; }
  std::filesystem::path Ports() const { return Run() / "ports"; }
  std::filesystem::path Options() const { return Run() / "options"; }
  std::filesystem::path PidFile(const std::string& program) const {
    return Run() / (program + ".pid");
  }
};

/// /var/lib/trove as root, else ~/.local/share/trove. Errors: kFailedPrecondition: not root, and
/// $HOME is not set.
absl::StatusOr<std::filesystem::path> DefaultDataDirectory();

/// Makes the data directory (0711) and the folders that belong to the launcher. As root it first
/// refuses a folder on the way that others cannot enter. Errors: kFailedPrecondition or
/// kPermissionDenied, naming the folder and what to do.
absl::Status PrepareLayout(const Layout& layout);

/// OK when every user can enter `path` and the folders above it, as far as they exist: databases
/// run as users of their own. Errors: kFailedPrecondition names the folder.
absl::Status CheckOthersCanEnter(const std::filesystem::path& path);

/// The short folder for sockets: /run/trove/<mesh> as root, else in the user's runtime folder or in
/// /tmp. Makes it (0711 as root, else 0700) and what is missing above it. Errors: as
/// MakePrivateDirectory.
absl::StatusOr<std::filesystem::path> PrepareSocketDirectory(const std::string& mesh_id);

/// Removes that folder when no guest has a socket in it.
void TidySocketDirectory(const std::filesystem::path& folder);

/// The id of the mesh in this data directory. Errors: kNotFound: there is none yet;
/// kFailedPrecondition: the file holds something else.
absl::StatusOr<std::string> ReadMeshId(const Layout& layout);

}  // namespace trove::trovectl
