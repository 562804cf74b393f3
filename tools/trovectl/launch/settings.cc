#include "tools/trovectl/launch/settings.h"

#include <sstream>
#include <utility>

#include "libtrove/base/files.h"
#include "libtrove/base/status_macros.h"

namespace trove::trovectl {
namespace {

// YAML's double-quoted form, which can hold any text.
std::string YamlQuoted(const std::string& text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20) {
      quoted += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

// A shell's single-quoted form, where the text needs it.
std::string ShellQuoted(const std::string& text) {
  constexpr char kPlain[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:[]@%+,=";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text)
    quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string ShellUnquoted(const std::string& text) {
  if (text.empty() || text.front() != '\'') return text;
  std::string plain;
  bool inside = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\'') {
      inside = !inside;
    } else if (text[i] == '\\' && !inside && i + 1 < text.size()) {
      plain += text[++i];
    } else {
      plain += text[i];
    }
  }
  return plain;
}

std::string Loopback(int port) {
  return HostPort("127.0.0.1", port);
}

std::map<std::string, std::string> MeshFiles(const Layout& layout, const std::string& service) {
  const std::filesystem::path folder = layout.Service(service);
  return {{"mesh_ca", folder / "mesh-ca.pem"},
          {"mesh_cert", folder / "mesh.crt"},
          {"mesh_key", folder / "mesh.key"}};
}

std::map<std::string, std::string> MemberOfTheBus(const Layout& layout,
                                                  const std::string& service) {
  std::map<std::string, std::string> settings = MeshFiles(layout, service);
  settings["nats_creds"] = layout.Service(service) / "nats.creds";
  return settings;
}

std::vector<std::pair<std::string, std::string ClientEnvironment::*>> ClientFields() {
  return {{"TROVE_REST_URL", &ClientEnvironment::rest_url},
          {"TROVE_GRPC_ENDPOINT", &ClientEnvironment::grpc_endpoint},
          {"TROVE_TOKEN", &ClientEnvironment::token},
          {"TROVE_PROJECT", &ClientEnvironment::project},
          {"TROVE_CA", &ClientEnvironment::ca}};
}

}  // namespace

Settings MakeSettings(const SettingsInput& input) {
  const Layout& layout = input.layout;
  Settings settings;
  settings["common"] = {{"mesh_id", input.mesh_id},
                        {"store_path", layout.StoreFile()},
                        {"nats_url", "tls://" + Loopback(input.ports.nats)},
                        {"manifests", input.manifests},
                        {"datastores", layout.Datastores()},
                        {"master_key", layout.Secret("master.key")},
                        {"log_level", "info"}};

  auto& api = settings["api"] = MemberOfTheBus(layout, "api");
  api["listen"] = Loopback(input.ports.api);
  api["public_listen"] = HostPort(input.address, input.ports.grpc);
  api["public_cert"] = layout.Service("api") / "endpoint.crt";
  api["public_key"] = layout.Service("api") / "endpoint.key";

  auto& gateway = settings["gateway"] = MeshFiles(layout, "gateway");
  gateway["listen"] = HostPort(input.address, input.ports.rest);
  gateway["api"] = Loopback(input.ports.api);
  if (!input.tls_cert.empty()) {
    gateway["tls_cert"] = input.tls_cert;
    gateway["tls_key"] = input.tls_key;
  }

  auto& taskmanager = settings["taskmanager"] = MemberOfTheBus(layout, "taskmanager");
  taskmanager["listen"] = Loopback(input.ports.taskmanager);
  taskmanager["job_signing_key"] = layout.Secret("job-signing.key");
  taskmanager["conductor_enrol_address"] = Loopback(input.ports.enrol);
  taskmanager["data_dir"] = layout.data_dir;
  taskmanager["socket_dir"] = input.socket_dir;
  taskmanager["bin_dir"] = input.guest_programs;
  taskmanager["address"] = input.address;

  auto& conductor = settings["conductor"] = MemberOfTheBus(layout, "conductor");
  conductor["listen"] = Loopback(input.ports.conductor);
  conductor["enrol_listen"] = Loopback(input.ports.enrol);
  conductor["mesh_ca_key"] = layout.Secret("mesh-ca.key");
  conductor["endpoint_ca"] = layout.EndpointCa();
  conductor["endpoint_ca_key"] = layout.Secret("endpoint-ca.key");
  conductor["nats_account"] = layout.Secret("nats-account.pub");
  conductor["nats_signing_key"] = layout.Secret("nats-signing.nk");
  conductor["job_public_key"] = layout.Secret("job-signing.pub");
  return settings;
}

absl::Status Override(Settings& settings, const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  const std::size_t dot = assignment.find('.');
  if (equals == std::string::npos || dot == std::string::npos || dot > equals || dot == 0 ||
      dot + 1 == equals) {
    return absl::InvalidArgumentError("--set takes service.key=value, not " + assignment);
  }
  const std::string section = assignment.substr(0, dot);
  if (!settings.contains(section)) {
    return absl::InvalidArgumentError(
        "--set " + assignment + ": there is no service " + section +
        ", but api, gateway, taskmanager and conductor, and `common` for all of them");
  }
  settings[section][assignment.substr(dot + 1, equals - dot - 1)] = assignment.substr(equals + 1);
  return absl::OkStatus();
}

std::string SettingsText(const Settings& settings) {
  std::string text =
      "# Written by `trovectl up` whenever it starts. Change a setting with its --set.\n";
  for (const auto& [section, keys] : settings) {
    text += section + ":\n";
    for (const auto& [key, value] : keys)
      text += "  " + key + ": " + YamlQuoted(value) + "\n";
  }
  return text;
}

std::string ClientEnvironmentText(const ClientEnvironment& environment) {
  std::string text;
  for (const auto& [name, member] : ClientFields())
    text += "export " + name + "=" + ShellQuoted(environment.*member) + "\n";
  return text;
}

absl::StatusOr<ClientEnvironment> ReadClientEnvironment(const Layout& layout) {
  TROVE_ASSIGN_OR_RETURN(const std::string text, ReadFile(layout.ClientEnvironment()));
  ClientEnvironment environment;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    for (const auto& [name, member] : ClientFields()) {
      const std::string prefix = "export " + name + "=";
      if (line.starts_with(prefix)) environment.*member = ShellUnquoted(line.substr(prefix.size()));
    }
  }
  for (const auto& [name, member] : ClientFields()) {
    if ((environment.*member).empty()) {
      return absl::FailedPreconditionError(layout.ClientEnvironment().string() + " has no " + name +
                                           ": remove the file and a new one is made");
    }
  }
  return environment;
}

}  // namespace trove::trovectl
