#include "services/conductor/conductor_service.h"

#include "libtrove/base/status_macros.h"
#include "libtrove/rpc/handlers.h"

namespace trove::conductor {

grpc::ServerUnaryReactor* ConductorService::Enroll(grpc::CallbackServerContext* context,
                                                   const mesh::v1::EnrollRequest* request,
                                                   mesh::v1::EnrollResponse* response) {
  return rpc::Pooled(
      writers_, context, [this, request, response](const Call& call) -> absl::Status {
        TROVE_ASSIGN_OR_RETURN(*response, enrolment_.Enroll(call, *request));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* ConductorService::GetConductorStatus(
    grpc::CallbackServerContext* context,
    const mesh::v1::GetConductorStatusRequest*,
    mesh::v1::GetConductorStatusResponse* response) {
  return rpc::Inline(context, [&](const Call&) {
    const GuestWatchStatus status = watch_.status();
    for (const int shard : status.shards)
      response->add_shards(shard);
    response->set_guests_heard(status.guests_heard);
    response->set_heartbeats(status.heartbeats);
    response->set_judging(status.judging);
    return absl::OkStatus();
  });
}

}  // namespace trove::conductor
