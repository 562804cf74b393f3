#pragma once

#include <string_view>

#include <absl/time/time.h>
#include <google/protobuf/message.h>

#include "trove/mesh/v1/bus.pb.h"

#include "libtrove/base/id.h"
#include "libtrove/identity/job_signing.h"

namespace trove::agent {

/// Whether `message`, or any message inside it, has a field that this build does not know.
bool HasUnknownFields(const google::protobuf::Message& message);

/// A refusal of a job, or the job: signed by a key we know, meant for this guest, understood whole,
/// and not too old.
struct CheckedJob {
  mesh::v1::Job job;
  mesh::v1::JobAck refusal;  ///< `reason` is empty when the job is fine
};
CheckedJob CheckJob(std::string_view envelope_bytes,
                    const GuestId& guest,
                    const identity::JobVerifier& verifier,
                    absl::Time now);

/// An ack that refuses.
mesh::v1::JobAck Refuse(std::string_view reason, std::string_view why);

}  // namespace trove::agent
