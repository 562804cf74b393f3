#include "libtrove/agent/job_checks.h"

#include <algorithm>
#include <string>
#include <vector>

#include <google/protobuf/unknown_field_set.h>

#include "libtrove/base/status.h"

namespace trove::agent {
namespace {

// Job ids become file names.
bool IsJobId(const std::string& id) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '/';
  };
  return !id.empty() && id.size() <= 200 && std::all_of(id.begin(), id.end(), allowed);
}

}  // namespace

bool HasUnknownFields(const google::protobuf::Message& message) {
  const google::protobuf::Reflection* reflection = message.GetReflection();
  if (!reflection->GetUnknownFields(message).empty()) return true;
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const google::protobuf::FieldDescriptor* field : fields) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      if (HasUnknownFields(reflection->GetMessage(message, field))) return true;
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      if (HasUnknownFields(reflection->GetRepeatedMessage(message, field, i))) return true;
    }
  }
  return false;
}

mesh::v1::JobAck Refuse(std::string_view reason, std::string_view why) {
  mesh::v1::JobAck ack;
  ack.set_reason(std::string(reason));
  ack.set_refused(std::string(why));
  return ack;
}

CheckedJob CheckJob(std::string_view envelope_bytes,
                    const GuestId& guest,
                    const identity::JobVerifier& verifier,
                    absl::Time now) {
  CheckedJob checked;
  mesh::v1::JobEnvelope envelope;
  if (!envelope.ParseFromArray(envelope_bytes.data(), static_cast<int>(envelope_bytes.size()))) {
    checked.refusal = Refuse("MALFORMED", "the envelope cannot be read");
    return checked;
  }
  const absl::Status signature = verifier.Verify(
      envelope.job(), {.key_id = envelope.key_id(), .signature = envelope.signature()});
  if (!signature.ok()) {
    checked.refusal = Refuse("BAD_SIGNATURE", MessageOf(signature));
    return checked;
  }
  mesh::v1::Job& job = checked.job;
  if (!job.ParseFromString(envelope.job()) || !IsJobId(job.id())) {
    checked.refusal = Refuse("MALFORMED", "the job cannot be read");
  } else if (job.guest_id() != guest.value()) {
    checked.refusal = Refuse("WRONG_GUEST", "the job is for guest " + job.guest_id());
  } else if (job.kind_case() == mesh::v1::Job::KIND_NOT_SET || HasUnknownFields(job)) {
    checked.refusal = Refuse("UNKNOWN_KIND", "this agent does not understand the job: upgrade it");
  } else if (absl::FromUnixSeconds(job.expires_at().seconds()) < now) {
    checked.refusal = Refuse("EXPIRED", "the job has expired");
  }
  return checked;
}

}  // namespace trove::agent
