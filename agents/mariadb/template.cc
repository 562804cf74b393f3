#include "agents/mariadb/template.h"

#include <unistd.h>

#include <string>
#include <system_error>

#include "agents/mariadb/engine.h"
#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/subprocess.h"

namespace trove::mariadb {

namespace fs = std::filesystem;

bool IsInitialized(const fs::path& data_dir) {
  std::error_code error;
  return fs::exists(data_dir / "mysql" / "global_priv.frm", error);
}

absl::Status InitializeData(const Call& call, const fs::path& data_dir, const std::string& engine) {
  TROVE_ASSIGN_OR_RETURN(const fs::path program, FindEngineProgram(engine, "mariadb-install-db"));
  const fs::path beside = data_dir.string() + ".new";
  TROVE_RETURN_IF_ERROR(RemoveTree(beside));
  TROVE_RETURN_IF_ERROR(MakeDirectory(beside, 0700));
  // Of its own: in a shared one another server that starts takes our temporary tables for
  // left-overs and deletes them.
  const fs::path tmp = data_dir.string() + ".tmp";
  TROVE_RETURN_IF_ERROR(RemoveTree(tmp));
  TROVE_RETURN_IF_ERROR(MakeDirectory(tmp, 0700));
  ProgramSpec spec;
  spec.argv = {program,
               "--no-defaults",
               "--datadir=" + beside.string(),
               "--skip-test-db",
               "--skip-name-resolve",
               "--auth-root-authentication-method=normal",
               "--innodb-log-file-size=8M"};
  // The script would pass the user's name on to the server; we are that user already.
  spec.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                      "HOME=" + beside.string(),
                      "TMPDIR=" + tmp.string(),
                      "TZ=UTC"};
  std::error_code ignored;
  if (!engine.empty() && fs::is_directory(fs::path(engine) / "share", ignored))
    spec.argv.push_back("--basedir=" + engine);
  if (::geteuid() == 0) spec.argv.emplace_back("--user=root");
  TROVE_ASSIGN_OR_RETURN(const ProgramResult result, RunProgram(call, spec));
  if (result.exit_code != 0 || !IsInitialized(beside)) {
    return absl::InternalError("mariadb-install-db exited " + std::to_string(result.exit_code) +
                               ": " + result.output);
  }
  TROVE_RETURN_IF_ERROR(RemoveTree(tmp));
  TROVE_RETURN_IF_ERROR(RemoveTree(data_dir));
  std::error_code error;
  fs::rename(beside, data_dir, error);
  if (error) return ErrnoStatus(error.value(), "rename to " + data_dir.string());
  return absl::OkStatus();
}

absl::Status BuildTemplate(const Call& call, const fs::path& folder, const std::string& engine) {
  return InitializeData(call, folder / "data", engine);
}

}  // namespace trove::mariadb
