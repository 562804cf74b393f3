#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "services/gateway/http_message.h"

namespace trove::gateway {

/// Networks whose machines say truly, in X-Forwarded-For, where a request came from.
class TrustedProxies {
 public:
  /// None.
  TrustedProxies() = default;

  /// `networks` are IP addresses and networks, as `10.0.0.7`, `10.0.0.0/8`, `fd00::/8`. Errors:
  /// kInvalidArgument names the one that is neither.
  static absl::StatusOr<TrustedProxies> Parse(const std::vector<std::string>& networks);

  bool Contain(std::string_view address) const;

 private:
  struct Network {
    std::array<unsigned char, 16> address{};  // IPv4 as ::ffff:a.b.c.d
    int bits = 128;
  };
  std::vector<Network> networks_;
};

/// The IP address that a request came from: of whoever connected; when that is a trusted proxy, the
/// last address of X-Forwarded-For that is not one, as far as it can be read.
std::string ClientAddress(const TrustedProxies& proxies, const HttpRequest& http);

}  // namespace trove::gateway
