#include "services/api/requests.h"

#include <memory>
#include <string_view>
#include <utility>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "libtrove/base/check.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/identity/derive.h"
#include "libtrove/model/errors.h"
#include "libtrove/model/validation.h"

namespace trove::api {
namespace {

// Enough to see what was wrong; a resource that exists and a good request id are shorter.
constexpr std::size_t kLongestText = 500;

// The same for the same content: maps come in order.
std::string Serialized(const google::protobuf::Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

std::string FingerprintOf(const Caller& caller,
                          const identity::MasterKey& key,
                          const google::protobuf::Message& request,
                          const google::protobuf::FieldDescriptor* request_id) {
  const std::unique_ptr<google::protobuf::Message> content(request.New());
  content->CopyFrom(request);
  content->GetReflection()->ClearField(content.get(), request_id);
  const std::string purpose = "request\n" + request.GetDescriptor()->full_name() + "\n" +
                              caller.user + "\n" + Serialized(*content);
  return identity::DeriveSecret(key.bytes(), purpose).Reveal();
}

std::string Shortened(std::string text) {
  if (text.size() <= kLongestText) return text;
  std::size_t end = kLongestText;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
    --end;  // not within a character
  text.resize(end);
  return text;
}

}  // namespace

absl::StatusOr<Requester> Requests::Ask(const Caller& caller,
                                        const google::protobuf::Message& request) const {
  const auto* field = request.GetDescriptor()->FindFieldByName("request_id");
  TROVE_CHECK(field != nullptr);
  Requester requester{.project_id = caller.project_id,
                      .user = caller.user,
                      .admin = caller.IsAdmin(),
                      .request_id = request.GetReflection()->GetString(request, field),
                      .fingerprint = {},
                      .roles = caller.roles,
                      .peer = caller.address,
                      .action = std::string(ActionName(caller.action)),
                      .answer = nullptr};
  TROVE_RETURN_IF_ERROR(CheckRequestId("request_id", requester.request_id));
  if (!requester.request_id.empty())
    requester.fingerprint = FingerprintOf(caller, key_, request, field);
  return requester;
}

absl::StatusOr<std::optional<Accepted>> Requests::FindAnswer(const Call& call,
                                                             const Caller& caller,
                                                             const Requester& requester,
                                                             const std::string& resource) const {
  if (requester.request_id.empty()) return std::nullopt;
  TROVE_ASSIGN_OR_RETURN(std::optional<Accepted> answer, store_.FindAnswer(call, requester));
  if (!answer) return std::nullopt;
  AuditEntry entry = AuditEntryOf(caller, resource, requester.request_id, absl::OkStatus());
  entry.operation_id = answer->operation_id;
  entry.message = "the same request was accepted before";
  audit_.Record(std::move(entry));
  return answer;
}

absl::Status ParseAnswer(const std::string& kept, google::protobuf::Message* response) {
  if (response->ParseFromString(kept)) return absl::OkStatus();
  return absl::DataLossError("the answer that was kept for a repeated request is unreadable");
}

AuditEntry AuditEntryOf(const Caller& caller,
                        std::string resource,
                        std::string request_id,
                        const absl::Status& outcome) {
  AuditEntry entry;
  entry.project_id = caller.project_id;
  entry.user = caller.user;
  entry.roles = caller.roles;
  entry.peer = caller.address;
  entry.action = ActionName(caller.action);
  entry.resource = Shortened(std::move(resource));
  entry.request_id = Shortened(std::move(request_id));
  entry.outcome = outcome.ok() ? std::string_view("ACCEPTED") : ReasonOf(outcome).name;
  entry.message = Shortened(MessageOf(outcome));
  return entry;
}

}  // namespace trove::api
