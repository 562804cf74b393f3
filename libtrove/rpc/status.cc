#include "libtrove/rpc/status.h"

#include <utility>

#include <absl/strings/cord.h>

#include "trove/v1/rich_status.pb.h"

#include "libtrove/base/log.h"
#include "libtrove/base/status.h"
#include "libtrove/model/errors.h"
#include "libtrove/rpc/handlers.h"

namespace trove::rpc {
namespace {

bool IsUnforeseen(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown ||
         code == absl::StatusCode::kDataLoss;
}

absl::Status WithErrorDetail(absl::Status status) {
  if (status.GetPayload(kErrorDetailUrl)) return status;
  const absl::Status fitting = MakeError(InfoOfCode(status.code()).reason, MessageOf(status));
  if (const auto payload = fitting.GetPayload(kErrorDetailUrl))
    status.SetPayload(kErrorDetailUrl, *payload);
  return status;
}

std::string SerializeRich(const absl::Status& status) {
  v1::RichStatus rich;
  rich.set_code(static_cast<int>(status.code()));
  rich.set_message(MessageOf(status));
  status.ForEachPayload([&rich](absl::string_view url, const absl::Cord& payload) {
    google::protobuf::Any* detail = rich.add_details();
    detail->set_type_url(std::string(url.data(), url.size()));
    detail->set_value(std::string(payload));
  });
  return rich.SerializeAsString();
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status, std::string_view request_id) {
  if (status.ok()) return grpc::Status::OK;
  absl::Status shown = status;
  if (IsUnforeseen(status.code())) {
    Log().Error("an rpc failed unforeseen", {{"request_id", request_id}, {"error", status}});
    shown = absl::InternalError("internal error, request id " + std::string(request_id));
  }
  shown = WithErrorDetail(std::move(shown));
  return {static_cast<grpc::StatusCode>(shown.code()), MessageOf(shown), SerializeRich(shown)};
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status ours(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  v1::RichStatus rich;
  if (!status.error_details().empty() && rich.ParseFromString(status.error_details())) {
    for (const google::protobuf::Any& detail : rich.details())
      ours.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
  return ours;
}

namespace internal {

absl::Status Overloaded(const absl::Status& refusal) {
  if (!absl::IsResourceExhausted(refusal)) return refusal;
  return MakeError(Reason::kOverloaded,
                   "the server is busy: " + MessageOf(refusal),
                   {.retry_after = absl::Seconds(1), .help = "Try again in a second."});
}

}  // namespace internal

}  // namespace trove::rpc
