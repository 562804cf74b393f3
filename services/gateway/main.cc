#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libtrove/base/log.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/rpc/channel.h"
#include "libtrove/rpc/serve_until_signal.h"
#include "services/gateway/config.h"
#include "services/gateway/gateway.h"
#include "services/gateway/http_server.h"

namespace trove::gateway {
namespace {

constexpr absl::Duration kDrainLimit = absl::Seconds(10);

absl::StatusOr<std::vector<std::shared_ptr<grpc::Channel>>> Channels(const Config& config) {
  TROVE_ASSIGN_OR_RETURN(
      const auto tls,
      rpc::TlsSource::Open(
          {.certificate = config.mesh_cert, .key = config.mesh_key, .authority = config.mesh_ca}));
  const identity::PeerIdentity api{
      .kind = identity::PeerKind::kService, .mesh_id = config.mesh_id, .name = "api"};
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < config.api_connections; ++i) {
    for (const std::string& address : config.api)
      channels.push_back(rpc::MeshChannel(address, api, *tls));
  }
  return channels;
}

HttpOptions HttpOptionsOf(const Config& config) {
  HttpOptions options;
  options.address = config.listen_address;
  options.port = config.listen_port;
  options.tls_certificate = config.tls_cert;
  options.tls_key = config.tls_key;
  options.threads = config.threads;
  options.max_connections = static_cast<std::size_t>(config.max_connections);
  options.max_streams = static_cast<std::size_t>(config.max_streams);
  options.idle_timeout = absl::Milliseconds(config.idle_timeout_ms);
  return options;
}

absl::Status Run(const Config& config) {
  const Log log;
  TROVE_ASSIGN_OR_RETURN(const auto channels, Channels(config));
  ApiClient api(channels);
  TROVE_ASSIGN_OR_RETURN(TrustedProxies proxies, TrustedProxies::Parse(config.trusted_proxies));
  TROVE_ASSIGN_OR_RETURN(
      const auto gateway,
      Gateway::Make(api,
                    {.request_timeout = absl::Milliseconds(config.request_timeout_ms),
                     .region = config.region,
                     .trusted_proxies = std::move(proxies)},
                    log));
  TROVE_ASSIGN_OR_RETURN(const auto server,
                         HttpServer::Start(
                             HttpOptionsOf(config),
                             [&gateway](HttpRequest request, Responder respond) {
                               gateway->Handle(std::move(request), std::move(respond));
                             },
                             Gateway::Refuse));
  log.Info("serving", {{"address", config.listen_address}, {"port", server->port()}});
  TROVE_RETURN_IF_ERROR(rpc::WaitForTerminationSignal().status());
  server->Drain(kDrainLimit);
  return absl::OkStatus();
}

absl::Status Main(int argc, const char* const* argv) {
  Config config;
  TROVE_ASSIGN_OR_RETURN(const bool run, LoadConfig(argc, argv, &config));
  if (!run) return absl::OkStatus();
  LogLevel level = LogLevel::kInfo;
  TROVE_RETURN_IF_ERROR(ParseLogLevel(config.log_level, &level));
  StartLogging("gateway", level);
  return Run(config);
}

}  // namespace
}  // namespace trove::gateway

int main(int argc, char** argv) {
  trove::rpc::BlockTerminationSignals();
  const absl::Status status = trove::gateway::Main(argc, argv);
  if (!status.ok()) std::fprintf(stderr, "trove-gateway: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
