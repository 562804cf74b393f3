#pragma once

#include "trove/mesh/v1/conductor.grpc.pb.h"

#include "libtrove/base/executor.h"
#include "services/conductor/enrolment.h"
#include "services/conductor/guest_watch.h"

namespace trove::conductor {

/// The conductor's door.
class ConductorService final : public mesh::v1::ConductorService::CallbackService {
 public:
  /// All must outlive this object.
  ConductorService(Enrolment& enrolment, const GuestWatch& watch, Executor& writers)
      : enrolment_(enrolment), watch_(watch), writers_(writers) {}

  grpc::ServerUnaryReactor* Enroll(grpc::CallbackServerContext* context,
                                   const mesh::v1::EnrollRequest* request,
                                   mesh::v1::EnrollResponse* response) override;
  grpc::ServerUnaryReactor* GetConductorStatus(
      grpc::CallbackServerContext* context,
      const mesh::v1::GetConductorStatusRequest* request,
      mesh::v1::GetConductorStatusResponse* response) override;

 private:
  Enrolment& enrolment_;
  const GuestWatch& watch_;
  Executor& writers_;
};

}  // namespace trove::conductor
