#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "services/gateway/api_client.h"
#include "services/gateway/asked.h"

namespace trove::gateway {

/// What comes of a request: the document to answer with, and whom it is for.
using Outcome = std::function<void(absl::StatusOr<std::shared_ptr<const google::protobuf::Message>>,
                                   ApiAnswer)>;

/// Carries out one rpc of trove.rest.v1.
struct Endpoint {
  const google::protobuf::Message* request = nullptr;  ///< the type of document that it takes

  /// Calls `outcome` exactly once, at once or later; does not block. `asked` and `document` live
  /// until then.
  std::function<void(const google::protobuf::Message& document,
                     const Asked& asked,
                     const ApiCaller& caller,
                     Outcome outcome)>
      serve;
};

/// Every rpc by its full name ("trove.rest.v1.InstanceService.ShowInstance").
using Endpoints = std::map<std::string, Endpoint, std::less<>>;

/// What this gateway can do, all of it by way of `api`, which must outlive the result.
Endpoints MakeEndpoints(ApiClient& api);

/// The services behind MakeEndpoints, for the router.
std::vector<const google::protobuf::ServiceDescriptor*> BoundServices();

}  // namespace trove::gateway
