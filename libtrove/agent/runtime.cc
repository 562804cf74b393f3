#include "libtrove/agent/runtime.h"

#include <utility>
#include <vector>

#include <malloc.h>

#include "libtrove/agent/guest_service.h"
#include "libtrove/agent/health_monitor.h"
#include "libtrove/agent/jobs.h"
#include "libtrove/agent/keeper_client.h"
#include "libtrove/base/files.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/bus/nats_bus.h"
#include "libtrove/bus/subject.h"
#include "libtrove/identity/nats_permissions.h"
#include "libtrove/rpc/serve_until_signal.h"
#include "libtrove/rpc/server.h"
#include "libtrove/rpc/tls_source.h"

namespace trove::agent {
namespace {

// The keeper starts the agent again when it gives up, with what is new in its files.
constexpr absl::Duration kEnrolLimit = absl::Minutes(5);
constexpr absl::Duration kSubscribeLimit = absl::Seconds(10);
constexpr absl::Duration kDrainLimit = absl::Seconds(2);

absl::StatusOr<std::unique_ptr<NatsBus>> JoinBus(const AgentConfig& config,
                                                 const GuestIdentity& identity,
                                                 const Log& log) {
  NatsBusOptions options;
  options.urls = {config.nats_url};
  options.name = "guest-" + config.guest_id;
  options.authority_file = identity.files.mesh_authority;
  options.credentials = identity.nats;
  options.inbox_prefix = identity::NatsInboxPrefix(config.guest_id);
  options.log = log;
  return NatsBus::Connect(CallFor(kSubscribeLimit), std::move(options));
}

// Answers each message on `subject` by `handle`.
absl::StatusOr<std::unique_ptr<Subscription>> Answer(
    Bus& bus,
    const absl::StatusOr<Subject>& subject,
    std::function<mesh::v1::JobAck(std::string_view)> handle) {
  TROVE_RETURN_IF_ERROR(subject.status());
  return bus.Subscribe(CallFor(kSubscribeLimit),
                       *subject,
                       {},
                       [handle = std::move(handle)](const BusMessage& message) {
                         const mesh::v1::JobAck ack = handle(message.payload);
                         // A lost answer is asked for again.
                         if (message.can_reply())
                           message.reply(ack.SerializeAsString()).IgnoreError();
                       });
}

absl::StatusOr<std::unique_ptr<rpc::Server>> OpenDoor(const AgentConfig& config,
                                                      const IdentityFiles& files,
                                                      GuestService& service) {
  TROVE_ASSIGN_OR_RETURN(const std::shared_ptr<const rpc::TlsSource> tls,
                         rpc::TlsSource::Open({.certificate = files.mesh_certificate,
                                               .key = files.mesh_key,
                                               .authority = files.mesh_authority}));
  // A socket left by an agent that was killed would be in the way.
  TROVE_RETURN_IF_ERROR(RemoveTree(config.AgentSocket()));
  return rpc::Server::Start({.mesh_id = config.mesh_id,
                             .listeners = {{.kind = rpc::ListenerKind::kMesh,
                                            .address = "unix:" + config.AgentSocket().string(),
                                            .tls = tls}}},
                            {rpc::Serve<mesh::v1::GuestAgentService>(service)});
}

}  // namespace

absl::Status RunAgent(const AgentConfig& config, const MakeDatastore& make_datastore) {
  // Its threads mostly wait: a pool of memory for each would cost more than it saves.
  ::mallopt(M_ARENA_MAX, 1);
  const GuestId guest(config.guest_id);
  const Log log = Log().With("guest", config.guest_id);
  TROVE_ASSIGN_OR_RETURN(const std::unique_ptr<GuestState> state,
                         GuestState::Open(config.guest_dir));
  TROVE_ASSIGN_OR_RETURN(const GuestIdentity identity,
                         LoadOrEnrol(CallFor(kEnrolLimit), config, log));
  const keeper::KeeperClient keeper(config.KeeperSocket(), config.guest_id);
  const ServerProcess server(keeper);
  TROVE_ASSIGN_OR_RETURN(
      const std::unique_ptr<Datastore> datastore,
      make_datastore(
          {config, identity.files, *state, server, ServerPasswordOf(identity.sealing_key), log}));
  TROVE_ASSIGN_OR_RETURN(const std::unique_ptr<NatsBus> bus, JoinBus(config, identity, log));
  HealthMonitor monitor(config, *state, *datastore, *bus, log);
  TROVE_ASSIGN_OR_RETURN(const std::unique_ptr<Jobs> jobs,
                         Jobs::Start(guest, identity, *state, *datastore, monitor, *bus, log));

  std::vector<std::unique_ptr<Subscription>> subscriptions;
  const auto answer = [&](const absl::StatusOr<Subject>& subject,
                          mesh::v1::JobAck (Jobs::*handle)(std::string_view)) -> absl::Status {
    TROVE_ASSIGN_OR_RETURN(
        std::unique_ptr<Subscription> subscription,
        Answer(*bus, subject, [raw = jobs.get(), handle](std::string_view bytes) {
          return (raw->*handle)(bytes);
        }));
    subscriptions.push_back(std::move(subscription));
    return absl::OkStatus();
  };
  TROVE_RETURN_IF_ERROR(answer(GuestJobSubject(guest), &Jobs::OnJob));
  TROVE_RETURN_IF_ERROR(answer(GuestCancelSubject(guest), &Jobs::OnCancel));
  TROVE_RETURN_IF_ERROR(answer(GuestSettledSubject(guest), &Jobs::OnSettled));
  const std::unique_ptr<Subscription> reconnected =
      bus->OnReconnect([&monitor] { monitor.Kick(); });
  monitor.Start();

  GuestService service(monitor, *jobs, server);
  TROVE_ASSIGN_OR_RETURN(const std::unique_ptr<rpc::Server> door,
                         OpenDoor(config, identity.files, service));
  log.Info("the guest is up", {{"incarnation", state->incarnation()}});
  // A host has many agents: what enrolling and connecting has used is given back.
  ::malloc_trim(0);
  return rpc::ServeUntilSignal(*door, kDrainLimit);
}

}  // namespace trove::agent
