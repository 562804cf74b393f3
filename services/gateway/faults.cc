#include "services/gateway/faults.h"

#include <optional>
#include <string>

#include <absl/strings/cord.h>

#include "trove/rest/v1/fault.pb.h"
#include "trove/v1/error.pb.h"

#include "libtrove/base/check.h"
#include "libtrove/base/status.h"
#include "libtrove/model/errors.h"
#include "services/gateway/codec/encode.h"
#include "services/gateway/codec/json_text.h"
#include "services/gateway/codec/plan.h"
#include "services/gateway/codec/text_rules.h"

namespace trove::gateway {
namespace {

// Whole seconds to wait, if waiting helps.
std::optional<std::string> RetryAfter(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrorDetailUrl);
  v1::ErrorDetail detail;
  if (!payload || !detail.ParseFromString(std::string(*payload)) || !detail.has_retry_after()) {
    return std::nullopt;
  }
  const auto& wait = detail.retry_after();
  return std::to_string(wait.seconds() + (wait.nanos() > 0 ? 1 : 0));
}

const Plans& FaultPlans() {
  static const Plans* const kPlans = [] {
    auto* made = new Plans;
    TROVE_CHECK(made->Add(rest::v1::Fault::descriptor()).ok());
    return made;
  }();
  return *kPlans;
}

}  // namespace

HttpResponse FaultResponse(const absl::Status& status, const std::string& origin) {
  const ReasonInfo& info = ReasonOf(status);
  HttpResponse response;
  response.status = info.rest_status;
  rest::v1::Fault fault;
  fault.set_code(info.rest_status);
  fault.set_message(AsUtf8(MessageOf(status)));
  if (const std::optional<std::string> seconds = RetryAfter(status)) {
    response.headers.emplace_back("Retry-After", *seconds);
    if (info.reason == Reason::kRateLimited) fault.set_retry_after(*seconds);
  }
  if (info.rest_status == 401) {
    response.headers.emplace_back("WWW-Authenticate", "Keystone uri=\"" + origin + "\"");
  }
  response.body = "{";
  AppendJsonString(&response.body, info.fault_name);
  response.body += ":";
  EncodeDocument(FaultPlans(), fault, {}, &response.body);
  response.body += "}";
  return response;
}

}  // namespace trove::gateway
