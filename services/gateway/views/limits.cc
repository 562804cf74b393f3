#include "services/gateway/views/limits.h"

namespace trove::gateway {

absl::StatusOr<v1::GetLimitsRequest> ToGetLimits(const rest::v1::ListLimitsRequest&, const Asked&) {
  return v1::GetLimitsRequest();
}

rest::v1::ListLimitsResponse LimitsView(const v1::Limits& limits, const Asked&) {
  constexpr int kUnlimited = -1;
  rest::v1::ListLimitsResponse document;
  rest::v1::Limit* absolute = document.add_limits();
  absolute->set_verb("ABSOLUTE");
  absolute->set_max_instances(kUnlimited);
  absolute->set_max_ram(kUnlimited);
  absolute->set_max_backups(kUnlimited);
  absolute->set_max_volumes(kUnlimited);
  for (const v1::Quota& quota : limits.quotas()) {
    if (quota.resource() == "instances") absolute->set_max_instances(quota.limit());
    if (quota.resource() == "ram") absolute->set_max_ram(quota.limit());
    if (quota.resource() == "backups") absolute->set_max_backups(quota.limit());
    if (quota.resource() == "volumes") absolute->set_max_volumes(quota.limit());
  }
  return document;
}

}  // namespace trove::gateway
