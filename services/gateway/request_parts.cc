#include "services/gateway/request_parts.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "libtrove/model/errors.h"
#include "services/gateway/codec/json_body.h"
#include "services/gateway/codec/text_rules.h"

namespace trove::gateway {
namespace {

constexpr std::size_t kMaxIdempotencyKey = 128;

// Letters, digits, and what stands in a name, an address or before a port.
bool IsHost(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-._~:[]%").find(c) != std::string_view::npos;
  });
}

// What may stand behind `authorization: Bearer `.
bool IsToken(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

// The media type alone, in lower case.
std::string MediaType(const std::string& content_type) {
  std::string type = content_type.substr(0, content_type.find(';'));
  type.erase(type.find_last_not_of(" \t") + 1);
  std::transform(type.begin(), type.end(), type.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  });
  return type;
}

}  // namespace

std::string HostOf(const HttpRequest& http) {
  const std::string* host = http.Find("Host");
  return host != nullptr && IsHost(*host) ? *host : http.local_address;
}

absl::StatusOr<Secret> TokenOf(const HttpRequest& http) {
  std::string_view token;
  if (const std::string* header = http.Find("X-Auth-Token")) {
    token = *header;
  } else if (const std::string* authorization = http.Find("Authorization")) {
    constexpr std::string_view kBearer = "Bearer ";
    token = *authorization;
    token = token.substr(0, kBearer.size()) == kBearer ? token.substr(kBearer.size()) : "";
  }
  if (!IsToken(token)) {
    return MakeError(Reason::kUnauthenticated,
                     "This request needs a token: put one into the header X-Auth-Token");
  }
  return Secret(std::string(token));
}

absl::StatusOr<boost::json::object> BodyOf(const HttpRequest& http, bool needed) {
  const std::string* type = http.Find("Content-Type");
  if (http.body.empty() || type == nullptr) {
    if (!needed) return boost::json::object();
    return MakeError(Reason::kInvalidBody,
                     http.body.empty()
                         ? "This request needs a JSON body"
                         : "The body was not read: say Content-Type: application/json");
  }
  const std::string media = MediaType(*type);
  if (media != "application/json" && media != "application/vnd.openstack.trove+json") {
    return MakeError(Reason::kUnsupportedMediaType,
                     "The body must be application/json, not " + Quote(media));
  }
  return ParseBody(http.body);
}

absl::StatusOr<std::string> IdempotencyKeyOf(const HttpRequest& http) {
  constexpr char kName[] = "Idempotency-Key";
  const std::string* key = http.Find(kName);
  if (key == nullptr) return std::string();
  for (const auto& [name, value] : http.headers) {
    if (SameName(name, kName) && value != *key) {
      return MakeError(Reason::kInvalidField, "There are two headers Idempotency-Key");
    }
  }
  const bool printable =
      std::all_of(key->begin(), key->end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (key->empty() || key->size() > kMaxIdempotencyKey || !printable) {
    return MakeError(Reason::kInvalidField,
                     "The header Idempotency-Key must be 1 to 128 printable ASCII characters");
  }
  return *key;
}

absl::StatusOr<bool> ValidateOnly(const Parameters& query) {
  bool only = false;
  for (const auto& [name, value] : query) {
    if (name != "validate_only") continue;
    const bool yes = SameName(value, "true");
    if (!yes && !SameName(value, "false")) {
      return MakeError(
          Reason::kInvalidField,
          "Validation error: validate_only " + Quote(value) + " is not one of ['true', 'false']");
    }
    only |= yes;
  }
  return only;
}

}  // namespace trove::gateway
