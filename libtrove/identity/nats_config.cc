#include "libtrove/identity/nats_config.h"

#include <sstream>

namespace trove::identity {
namespace {

// A string in nats-server's configuration language.
std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace

std::string NatsServerConfigText(const NatsServerConfig& config) {
  std::ostringstream text;
  text << "server_name: " << Quoted(config.server_name) << "\n"
       << "host: " << Quoted(config.host) << "\n"
       << "port: " << config.port << "\n"
       << "max_payload: " << kNatsMaxPayloadBytes << "\n";
  if (config.http_port != 0) text << "http: \"127.0.0.1:" << config.http_port << "\"\n";
  if (!config.ports_directory.empty()) {
    text << "ports_file_dir: " << Quoted(config.ports_directory) << "\n";
  }
  if (!config.pid_file.empty()) text << "pid_file: " << Quoted(config.pid_file) << "\n";
  text << "tls {\n"
       << "  cert_file: " << Quoted(config.certificate_file) << "\n"
       << "  key_file: " << Quoted(config.key_file) << "\n"
       << "  ca_file: " << Quoted(config.authority_file) << "\n"
       << "  timeout: 10\n"  // a busy machine is no reason to turn a guest away
       << "}\n"
       << "authorization { timeout: 15 }\n"
       << "jetstream { store_dir: " << Quoted(config.jetstream_directory) << " }\n"
       << "operator: " << Quoted(config.operator_jwt) << "\n"
       << "system_account: " << Quoted(config.system_account) << "\n"
       << "resolver {\n"
       << "  type: full\n"
       << "  dir: " << Quoted(config.accounts_directory) << "\n"
       << "  allow_delete: false\n"
       << "  timeout: \"1s\"\n"  // how long a user of an unknown account is kept waiting
       << "  interval: \"2m\"\n"
       << "}\n"
       << "resolver_preload {\n";
  for (const auto& [account, jwt] : config.accounts)
    text << "  " << account << ": " << Quoted(jwt) << "\n";
  text << "}\n";
  return text.str();
}

}  // namespace trove::identity
