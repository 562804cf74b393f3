#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "tools/trovectl/launch/layout.h"
#include "tools/trovectl/launch/ports.h"
#include "tools/trovectl/launch/settings.h"
#include "tools/trovectl/launch/supervisor.h"
#include "tools/trovectl/launch/terminal.h"

namespace trove::trovectl {

/// How to start a mesh on this machine. Paths may be relative.
struct MeshOptions {
  std::filesystem::path data_dir;
  AskedPorts ports;
  std::string address = "127.0.0.1";
  std::string rest_cert;  ///< PEM files; both or none
  std::string rest_key;
  std::vector<std::string> overrides;             ///< service.key=value
  absl::Duration hang_limit = absl::Seconds(15);  ///< as Supervisor::Options::hang_limit
};

/// A mesh that serves.
struct Mesh {
  Layout layout;
  std::string mesh_id;
  Ports ports;
  ClientEnvironment client;
  Supervisor& supervisor;
};

/// The control plane's programs, in the order in which they are started.
std::vector<std::string> ControlPlanePrograms();

/// The data directory as the launcher uses it: absolute, the default for an empty one. Errors: as
/// DefaultDataDirectory.
absl::StatusOr<Layout> LayoutFor(const std::filesystem::path& data_dir);

/// Starts the control plane, has `while_up` called once it serves, and stops it again; databases
/// run on. Wants BlockLauncherSignals first. Errors: what kept it from serving, with what to do
/// about it; kCancelled: a signal came before it served; those of `while_up`.
absl::Status RunMesh(const MeshOptions& options,
                     Terminal& terminal,
                     const std::function<absl::Status(const Mesh&)>& while_up);

/// Ends what a launcher that was killed has left of the control plane. Returns what it ended.
absl::StatusOr<std::vector<std::string>> EndLeftovers(const Layout& layout);

}  // namespace trove::trovectl
