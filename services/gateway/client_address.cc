#include "services/gateway/client_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <optional>

namespace trove::gateway {
namespace {

using Bytes = std::array<unsigned char, 16>;

std::optional<Bytes> Parse(std::string_view address, bool* is_v4) {
  const std::string text(address);
  Bytes bytes{};
  in_addr v4{};
  *is_v4 = ::inet_pton(AF_INET, text.c_str(), &v4) == 1;
  if (*is_v4) {
    bytes[10] = bytes[11] = 0xff;
    std::memcpy(bytes.data() + 12, &v4, sizeof(v4));
    return bytes;
  }
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) return std::nullopt;
  return bytes;
}

bool SameBits(const Bytes& a, const Bytes& b, int bits) {
  const auto whole = static_cast<std::size_t>(bits / 8);
  if (std::memcmp(a.data(), b.data(), whole) != 0) return false;
  const int rest = bits % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

std::string_view Trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

// Without the port that some proxies add, and the brackets of IPv6.
std::string_view WithoutPort(std::string_view hop) {
  if (!hop.empty() && hop.front() == '[') return hop.substr(1, hop.find(']') - 1);
  const std::size_t colon = hop.find(':');
  const bool v4_with_port = colon != std::string_view::npos && hop.rfind(':') == colon;
  return v4_with_port ? hop.substr(0, colon) : hop;
}

}  // namespace

absl::StatusOr<TrustedProxies> TrustedProxies::Parse(const std::vector<std::string>& networks) {
  TrustedProxies proxies;
  for (const std::string& network : networks) {
    const std::string_view text = network;
    const std::size_t slash = text.find('/');
    bool is_v4 = false;
    const std::optional<Bytes> address = gateway::Parse(text.substr(0, slash), &is_v4);
    int bits = is_v4 ? 32 : 128;
    bool good = address.has_value();
    if (slash != std::string_view::npos) {
      const int most = bits;
      const std::string_view digits = text.substr(slash + 1);
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
      good = good && error == std::errc() && end == digits.data() + digits.size() && bits >= 0 &&
             bits <= most;
    }
    if (!good) {
      return absl::InvalidArgumentError("trusted_proxies: " + network +
                                        " is no IP address and no network, as 10.0.0.0/8");
    }
    proxies.networks_.push_back({.address = *address, .bits = is_v4 ? bits + 96 : bits});
  }
  return proxies;
}

bool TrustedProxies::Contain(std::string_view address) const {
  bool is_v4 = false;
  const std::optional<Bytes> bytes = gateway::Parse(address, &is_v4);
  return bytes.has_value() &&
         std::any_of(networks_.begin(), networks_.end(), [&bytes](const Network& network) {
           return SameBits(*bytes, network.address, network.bits);
         });
}

std::string ClientAddress(const TrustedProxies& proxies, const HttpRequest& http) {
  std::string address = http.peer;
  // From the last hop backwards: whatever stands before one that nobody trusts, that one may have
  // made up.
  for (auto header = http.headers.rbegin(); header != http.headers.rend(); ++header) {
    if (!SameName(header->first, "X-Forwarded-For")) continue;
    std::string_view hops = header->second;
    while (!hops.empty() && proxies.Contain(address)) {
      const std::size_t comma = hops.rfind(',');
      const std::string_view hop =
          WithoutPort(Trim(comma == std::string_view::npos ? hops : hops.substr(comma + 1)));
      bool is_v4 = false;
      if (!Parse(hop, &is_v4).has_value()) return address;
      address = std::string(hop);
      hops = comma == std::string_view::npos ? std::string_view() : hops.substr(0, comma);
    }
  }
  return address;
}

}  // namespace trove::gateway
