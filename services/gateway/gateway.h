#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/log.h"
#include "libtrove/base/mutex.h"
#include "services/gateway/api_client.h"
#include "services/gateway/client_address.h"
#include "services/gateway/codec/plan.h"
#include "services/gateway/endpoints.h"
#include "services/gateway/http_message.h"
#include "services/gateway/router.h"

namespace trove::gateway {

struct GatewayOptions {
  absl::Duration request_timeout = absl::Seconds(30);     ///< for what happens behind the gateway
  absl::Duration heartbeat_interval = absl::Seconds(15);  ///< of answers that go on
  std::string region = "RegionOne";
  TrustedProxies trusted_proxies;  ///< whose X-Forwarded-For is believed
};

/// Trove's REST API over the api's gRPC: route, decode, map, call, map, encode. Knows nothing of
/// sockets, and nothing of who may do what: the api alone authenticates, and says who is an admin.
/// Thread-safe.
class Gateway {
 public:
  /// `api` must outlive the gateway and every request. Errors: kInvalidArgument: a binding that
  /// cannot work, or that no endpoint carries out.
  static absl::StatusOr<std::unique_ptr<Gateway>> Make(ApiClient& api,
                                                       const GatewayOptions& options,
                                                       Log log);

  /// Cancels what is under way and waits until the last request is answered.
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  /// Answers one request, now or later. Does not block.
  void Handle(HttpRequest http, Responder respond);

  /// The answer to what the server could not take as a request.
  static HttpResponse Refuse(int status, const std::string& why);

 private:
  class Exchange;
  Gateway(ApiClient& api, GatewayOptions options, Log log);

  ApiClient& api_;
  const GatewayOptions options_;
  const Log log_;
  const Endpoints endpoints_;
  Plans plans_;
  std::unique_ptr<Router> router_;
  std::stop_source stopping_;
  Mutex mutex_;
  CondVar ended_;
  int under_way_ TROVE_GUARDED_BY(mutex_) = 0;
};

}  // namespace trove::gateway
