#include "agents/mariadb/upgrade.h"

#include <cstdlib>

#include "agents/mariadb/engine.h"
#include "libtrove/agent/server_settings.h"
#include "libtrove/base/files.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/subprocess.h"

namespace trove::mariadb {
namespace {

namespace fs = std::filesystem;

int MajorOf(std::string_view version) {
  return std::atoi(std::string(version).c_str());
}

absl::Status RunUpgrade(const Call& call,
                        const TablesUpgrade& upgrade,
                        const fs::path& program,
                        const fs::path& credentials,
                        const fs::path& tmp) {
  TROVE_RETURN_IF_ERROR(MakeDirectory(tmp, 0700));
  // Not in the arguments, which anybody on the host may read.
  TROVE_RETURN_IF_ERROR(WriteFileAtomically(credentials,
                                            "[client]\nsocket = \"" + upgrade.socket +
                                                "\"\nuser = " + upgrade.user +
                                                "\npassword = " + upgrade.password.Reveal() + "\n",
                                            0600));
  ProgramSpec spec;
  spec.argv = {program, "--defaults-file=" + credentials.string(), "--tmpdir=" + tmp.string()};
  // It looks for its helpers beside itself, and then there.
  spec.environment = {"PATH=" + program.parent_path().string() + ":/usr/sbin:/usr/bin:/sbin:/bin",
                      "HOME=" + tmp.string(),
                      "TMPDIR=" + tmp.string(),
                      "TZ=UTC"};
  TROVE_ASSIGN_OR_RETURN(const ProgramResult result, RunProgram(call, spec));
  if (result.exit_code == 0) return absl::OkStatus();
  constexpr std::size_t kMost = 500;
  const std::string& output = result.output;
  return absl::InternalError("mariadb-upgrade exited " + std::to_string(result.exit_code) + ": " +
                             output.substr(output.size() > kMost ? output.size() - kMost : 0));
}

}  // namespace

absl::Status CheckVersions(std::string_view from, std::string_view to) {
  const std::string what = std::string(from) + " to " + std::string(to);
  if (agent::CompareVersions(to, from) < 0)
    return absl::InvalidArgumentError("cannot go back from " + what);
  if (MajorOf(to) > MajorOf(from) + 1) {
    return absl::InvalidArgumentError("cannot go from " + what + " at once: go to a version " +
                                      std::to_string(MajorOf(from) + 1) + " first");
  }
  return absl::OkStatus();
}

std::string DataVersion(const fs::path& data_dir) {
  // Versions from 11 on write the first and may leave the second.
  for (const char* name : {"mariadb_upgrade_info", "mysql_upgrade_info"}) {
    absl::StatusOr<std::string> version = ReadFile(data_dir / name);
    if (!version.ok()) continue;
    while (!version->empty() && static_cast<unsigned char>(version->back()) <= ' ')
      version->pop_back();
    if (!version->empty()) return *std::move(version);
  }
  return "";
}

absl::Status UpgradeTables(const Call& call, const TablesUpgrade& upgrade) {
  TROVE_ASSIGN_OR_RETURN(const fs::path program,
                         FindEngineProgram(upgrade.engine, "mariadb-upgrade"));
  const fs::path credentials = upgrade.folder / "upgrade.cnf";
  const fs::path tmp = upgrade.folder / "upgrade.tmp";
  absl::Status status = RunUpgrade(call, upgrade, program, credentials, tmp);
  for (const fs::path& left : {credentials, tmp}) {
    const absl::Status removed = RemoveTree(left);
    if (status.ok()) status = removed;
  }
  return status;
}

}  // namespace trove::mariadb
