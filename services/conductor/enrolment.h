#pragma once

#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "trove/mesh/v1/conductor.pb.h"

#include "libtrove/base/call.h"
#include "libtrove/base/clock.h"
#include "libtrove/base/log.h"
#include "libtrove/identity/certificate_authority.h"
#include "libtrove/identity/nats_authority.h"
#include "libtrove/store/store.h"
#include "services/conductor/config.h"

namespace trove::conductor {

/// What the conductor admits guests with.
struct EnrolmentKeys {
  identity::CertificateAuthority mesh;
  identity::CertificateAuthority endpoints;
  identity::NatsUserIssuer bus;
  std::string job_key_id;
  std::string job_public_key_pem;
};

/// Reads the files that the configuration names.
absl::StatusOr<EnrolmentKeys> LoadEnrolmentKeys(const Config& config);

/// Makes new guests members of the mesh. Thread-safe.
class Enrolment {
 public:
  /// `store` and `clock` must outlive this object.
  Enrolment(Store& store,
            const Clock& clock,
            EnrolmentKeys keys,
            std::string mesh_id,
            absl::Duration validity,
            Log log);

  /// Errors: kUnauthenticated: the token; kInvalidArgument: a key or request that is none.
  absl::StatusOr<mesh::v1::EnrollResponse> Enroll(const Call& call,
                                                  const mesh::v1::EnrollRequest& request);

 private:
  Store& store_;
  const Clock& clock_;
  const EnrolmentKeys keys_;
  const std::string mesh_id_;
  const absl::Duration validity_;
  const Log log_;
};

}  // namespace trove::conductor
