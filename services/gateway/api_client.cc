#include "services/gateway/api_client.h"

#include "libtrove/base/check.h"
#include "services/gateway/url.h"

namespace trove::gateway {

ApiStubs::ApiStubs(const std::shared_ptr<grpc::Channel>& channel)
    : instances(v1::InstanceService::NewStub(channel)),
      flavors(v1::FlavorService::NewStub(channel)),
      datastores(v1::DatastoreService::NewStub(channel)),
      limits(v1::LimitsService::NewStub(channel)),
      health(::grpc::health::v1::Health::NewStub(channel)) {}

ApiClient::ApiClient(const std::vector<std::shared_ptr<grpc::Channel>>& channels) {
  TROVE_CHECK(!channels.empty());
  for (const std::shared_ptr<grpc::Channel>& channel : channels)
    stubs_.push_back(std::make_unique<ApiStubs>(channel));
}

std::string MetadataValue(const std::string& text) {
  return PercentEncode(text);
}

}  // namespace trove::gateway
