#pragma once

#include <memory>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <grpcpp/grpcpp.h>

#include "trove/v1/audit.grpc.pb.h"
#include "trove/v1/configuration.grpc.pb.h"
#include "trove/v1/datastore.grpc.pb.h"
#include "trove/v1/event.grpc.pb.h"
#include "trove/v1/flavor.grpc.pb.h"
#include "trove/v1/instance.grpc.pb.h"
#include "trove/v1/limits.grpc.pb.h"
#include "trove/v1/operation.grpc.pb.h"
#include "trove/v1/token.grpc.pb.h"

#include "libtrove/base/backoff.h"
#include "libtrove/base/uuid.h"
#include "libtrove/client/client.h"
#include "libtrove/rpc/outgoing_call.h"

namespace trove::client {

/// Sleeps, but not longer than the call. False: the call is over.
bool Pause(const Call& call, absl::Duration time);

/// The stubs, and how all calls are made.
struct Client::Rep {
  Rep(const ClientOptions& options, std::shared_ptr<grpc::Channel> to);

  /// An error of the connection in words for people; one of the server as it is.
  absl::Status Explain(const absl::Status& status) const;

  /// Runs `attempt` until it ends in something else than kUnavailable, or patience does.
  template <typename Attempt>
  auto Persist(const Call& call, Attempt&& attempt) const -> decltype(attempt()) {
    const absl::Time until = absl::Now() + patience;
    for (int retry = 0;; ++retry) {
      auto result = attempt();
      if (!absl::IsUnavailable(result.status())) {
        if (result.ok()) return result;
        return Explain(result.status());
      }
      const absl::Duration wait = BackoffDelay({absl::Milliseconds(50), absl::Seconds(1)}, retry);
      if (absl::Now() + wait > until || !Pause(call, wait)) return Explain(result.status());
    }
  }

  /// A call that changes nothing, or nothing more when it is made again.
  template <typename Stub, typename Owner, typename Request, typename Response>
  absl::StatusOr<Response> Ask(Stub& stub,
                               grpc::Status (Owner::*method)(grpc::ClientContext*,
                                                             const Request&,
                                                             Response*),
                               const Call& call,
                               const std::type_identity_t<Request>& request) const {
    return Persist(call, [&] { return rpc::CallUnary(stub, method, call, request, extras); });
  }

  /// A call that changes something, once however often it is made.
  template <typename Stub, typename Owner, typename Request, typename Response>
  absl::StatusOr<Response> Change(Stub& stub,
                                  grpc::Status (Owner::*method)(grpc::ClientContext*,
                                                                const Request&,
                                                                Response*),
                                  const Call& call,
                                  std::type_identity_t<Request> request) const {
    if (request.request_id().empty()) request.set_request_id(NewUuid());
    return Ask(stub, method, call, request);
  }

  const std::string endpoint;
  const absl::Duration patience;
  const std::shared_ptr<grpc::Channel> channel;
  const rpc::CallExtras extras;
  const std::unique_ptr<v1::AuditService::Stub> audit;
  const std::unique_ptr<v1::ConfigurationService::Stub> configurations;
  const std::unique_ptr<v1::DatastoreService::Stub> datastores;
  const std::unique_ptr<v1::EventService::Stub> events;
  const std::unique_ptr<v1::FlavorService::Stub> flavors;
  const std::unique_ptr<v1::InstanceService::Stub> instances;
  const std::unique_ptr<v1::LimitsService::Stub> limits;
  const std::unique_ptr<v1::OperationService::Stub> operations;
  const std::unique_ptr<v1::TokenService::Stub> tokens;
};

}  // namespace trove::client
