#include "services/gateway/api_client.h"

#include "libtrove/base/check.h"
#include "services/gateway/url.h"

namespace trove::gateway {

ApiStubs::ApiStubs(const std::shared_ptr<grpc::Channel>& channel)
    : instances(v1::InstanceService::NewStub(channel)),
      flavors(v1::FlavorService::NewStub(channel)),
      datastores(v1::DatastoreService::NewStub(channel)),
      limits(v1::LimitsService::NewStub(channel)),
      configurations(v1::ConfigurationService::NewStub(channel)),
      operations(v1::OperationService::NewStub(channel)),
      events(v1::EventService::NewStub(channel)),
      audit(v1::AuditService::NewStub(channel)),
      health(::grpc::health::v1::Health::NewStub(channel)) {}

ApiClient::ApiClient(const std::vector<std::shared_ptr<grpc::Channel>>& channels)
    : channels_(channels) {
  TROVE_CHECK(!channels.empty());
  for (const std::shared_ptr<grpc::Channel>& channel : channels)
    stubs_.push_back(std::make_unique<ApiStubs>(channel));
}

ApiStubs& ApiClient::Next() {
  const std::size_t first = next_.fetch_add(1, std::memory_order_relaxed);
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    const std::size_t index = (first + i) % channels_.size();
    const grpc_connectivity_state state = channels_[index]->GetState(/*try_to_connect=*/true);
    if (state != GRPC_CHANNEL_TRANSIENT_FAILURE) return *stubs_[index];
  }
  return *stubs_[first % stubs_.size()];
}

void AddCaller(const ApiCaller& caller, grpc::ClientContext* context) {
  context->AddMetadata(kPathProjectKey, MetadataValue(caller.project_id));
  if (!caller.address.empty()) context->AddMetadata(kClientKey, caller.address);
}

std::string MetadataValue(const std::string& text) {
  return PercentEncode(text);
}

}  // namespace trove::gateway
