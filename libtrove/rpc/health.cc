#include "libtrove/rpc/health.h"

#include "grpc/health/v1/health.grpc.pb.h"

#include "libtrove/base/status_macros.h"
#include "libtrove/rpc/outgoing_call.h"

namespace trove::rpc {

namespace health = grpc::health::v1;

absl::Status CheckHealth(const std::shared_ptr<grpc::Channel>& channel,
                         const Call& call,
                         const std::string& service) {
  const auto stub = health::Health::NewStub(channel);
  health::HealthCheckRequest request;
  request.set_service(service);
  TROVE_ASSIGN_OR_RETURN(const auto response,
                         CallUnary(*stub, &health::Health::Stub::Check, call, request));
  if (response.status() == health::HealthCheckResponse::SERVING) return absl::OkStatus();
  return absl::UnavailableError((service.empty() ? "the server" : service) + " is not serving");
}

}  // namespace trove::rpc
