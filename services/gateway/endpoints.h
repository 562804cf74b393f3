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
#include "services/gateway/sent_event.h"

namespace trove::gateway {

/// What comes of a request: the document to answer with, and whom it is for.
using Outcome = std::function<void(absl::StatusOr<std::shared_ptr<const google::protobuf::Message>>,
                                   ApiAnswer)>;

/// Where the events of one watch go.
struct Feed {
  /// Takes an event and calls `next`, exactly once, when there may be another.
  std::function<void(const SentEvent& event, std::function<void()> next)> event;
  /// Takes the end, exactly once and last.
  std::function<void(const absl::Status& status)> end;
};

/// Begins the events. Called when the client may watch and its answer has begun; `caller` has the
/// stop token of that answer, and no deadline.
using BeginFeed = std::function<void(const ApiCaller& caller, Feed feed)>;

/// What comes of the wish to watch. No function: there is nothing that the client has not seen.
using WatchOutcome = std::function<void(absl::StatusOr<BeginFeed>, ApiAnswer)>;

/// Carries out one rpc of trove.rest.v1.
struct Endpoint {
  const google::protobuf::Message* request = nullptr;  ///< the type of document that it takes

  /// Calls `outcome` exactly once, at once or later; does not block. `document`, `asked` and
  /// `caller` live until then. Not of a stream.
  std::function<void(const google::protobuf::Message& document,
                     const Asked& asked,
                     const ApiCaller& caller,
                     Outcome outcome)>
      serve;

  /// The same, of a stream.
  std::function<void(const google::protobuf::Message& document,
                     const Asked& asked,
                     const ApiCaller& caller,
                     WatchOutcome outcome)>
      watch;
};

/// Every rpc by its full name ("trove.rest.v1.InstanceService.ShowInstance").
using Endpoints = std::map<std::string, Endpoint, std::less<>>;

/// What this gateway can do, all of it by way of `api`, which must outlive the result.
Endpoints MakeEndpoints(ApiClient& api);

/// The services behind MakeEndpoints, for the router.
std::vector<const google::protobuf::ServiceDescriptor*> BoundServices();

}  // namespace trove::gateway
