#include <cstdio>

#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/rpc/serve_until_signal.h"
#include "libtrove/rpc/server.h"
#include "libtrove/service/connect.h"
#include "services/conductor/conductor_service.h"
#include "services/conductor/config.h"
#include "services/conductor/enrolment.h"
#include "services/conductor/guest_watch.h"
#include "services/conductor/job_reports.h"

namespace trove::conductor {
namespace {

constexpr absl::Duration kStartLimit = absl::Seconds(30);
constexpr absl::Duration kDrainLimit = absl::Seconds(10);

absl::Status Run(const Config& config) {
  const Log log;
  const SystemClock clock;
  TROVE_ASSIGN_OR_RETURN(const auto store, service::OpenStore(config.service, clock, false));
  TROVE_ASSIGN_OR_RETURN(const auto bus, service::ConnectBus(config.service, "conductor", log));
  TROVE_ASSIGN_OR_RETURN(EnrolmentKeys keys, LoadEnrolmentKeys(config));
  Enrolment enrolment(*store,
                      clock,
                      std::move(keys),
                      config.service.mesh_id,
                      absl::Hours(24) * config.guest_validity_days,
                      log);
  GuestWatch watch(*store,
                   *bus,
                   clock,
                   WorkerId("conductor-" + NewUuid()),
                   absl::Milliseconds(config.heartbeat_expiry_ms),
                   log);
  JobReports reports(*store, *bus, log);
  TROVE_RETURN_IF_ERROR(watch.Start(CallFor(kStartLimit)));
  TROVE_RETURN_IF_ERROR(reports.Start(CallFor(kStartLimit)));

  Executor writers("enrol", 4, 256);
  ConductorService conductor_service(enrolment, watch, writers);
  TROVE_ASSIGN_OR_RETURN(const auto tls, service::OpenMeshTls(config.service));
  const rpc::ServerOptions options{
      .mesh_id = config.service.mesh_id,
      .listeners = {
          {.kind = rpc::ListenerKind::kMesh, .address = config.service.listen, .tls = tls},
          {.kind = rpc::ListenerKind::kEnrol, .address = config.enrol_listen, .tls = tls}}};
  TROVE_ASSIGN_OR_RETURN(
      const auto server,
      rpc::Server::Start(options, {rpc::Serve<mesh::v1::ConductorService>(conductor_service)}));
  log.Info("serving", {{"mesh", server->address(0)}, {"enrol", server->address(1)}});
  return rpc::ServeUntilSignal(*server, kDrainLimit);
}

absl::Status Main(int argc, const char* const* argv) {
  Config config;
  TROVE_ASSIGN_OR_RETURN(const bool run, LoadConfig(argc, argv, &config));
  if (!run) return absl::OkStatus();
  LogLevel level = LogLevel::kInfo;
  TROVE_RETURN_IF_ERROR(ParseLogLevel(config.service.log_level, &level));
  StartLogging("conductor", level);
  return Run(config);
}

}  // namespace
}  // namespace trove::conductor

int main(int argc, char** argv) {
  trove::rpc::BlockTerminationSignals();
  const absl::Status status = trove::conductor::Main(argc, argv);
  if (!status.ok()) std::fprintf(stderr, "trove-conductor: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
