#include "agents/mariadb/engine.h"

#include <unistd.h>

#include "libtrove/base/subprocess.h"

namespace trove::mariadb {

absl::StatusOr<std::filesystem::path> FindEngineProgram(const std::string& engine,
                                                        const std::string& name) {
  if (engine.empty()) return FindProgram(name);
  for (const char* folder : {"bin", "sbin", "scripts"}) {
    std::filesystem::path program = std::filesystem::path(engine) / folder / name;
    if (::access(program.c_str(), X_OK) == 0) return program;
  }
  return absl::InvalidArgumentError("there is no " + name + " that can be run in " + engine +
                                    "/bin or " + engine + "/sbin");
}

}  // namespace trove::mariadb
