#include "tools/trovectl/launch/last_options.h"

#include <sstream>
#include <string>

#include "libtrove/base/files.h"
#include "libtrove/base/status_macros.h"

namespace trove::trovectl {

absl::Status KeepOptions(const Layout& layout, const MeshOptions& options) {
  std::string text = "address " + options.address + "\n";
  if (!options.rest_cert.empty()) {
    text += "rest-cert " + options.rest_cert + "\n";
    text += "rest-key " + options.rest_key + "\n";
  }
  for (const std::string& assignment : options.overrides)
    text += "set " + assignment + "\n";
  return WriteFileAtomically(layout.Options(), text, 0600);
}

absl::StatusOr<MeshOptions> LastOptions(const Layout& layout) {
  MeshOptions options;
  options.data_dir = layout.data_dir;
  const absl::StatusOr<std::string> text = ReadFile(layout.Options());
  if (absl::IsNotFound(text.status())) return options;
  if (!text.ok()) return text.status();
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t space = line.find(' ');
    if (space == std::string::npos) continue;
    const std::string name = line.substr(0, space);
    const std::string value = line.substr(space + 1);
    if (name == "address") options.address = value;
    if (name == "rest-cert") options.rest_cert = value;
    if (name == "rest-key") options.rest_key = value;
    if (name == "set") options.overrides.push_back(value);
  }
  return options;
}

}  // namespace trove::trovectl
