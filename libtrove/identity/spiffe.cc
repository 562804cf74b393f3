#include "libtrove/identity/spiffe.h"

#include <algorithm>

#include <absl/status/status.h>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"

namespace trove::identity {
namespace {

constexpr std::string_view kPrefix = "spiffe://trove/";
constexpr std::string_view kServicePath = "/service/";
constexpr std::string_view kGuestPath = "/guest/";
constexpr std::size_t kMeshIdLength = 8;
constexpr std::size_t kMostServiceName = 32;

bool IsLower(char c) {
  return c >= 'a' && c <= 'z';
}

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool IsGuestName(std::string_view text) {
  return IsUuid(text) && std::none_of(text.begin(), text.end(), [](char c) {
           return c >= 'A' && c <= 'F';  // one guest has one spelling
         });
}

absl::Status CheckMeshId(std::string_view mesh_id) {
  if (IsMeshId(mesh_id)) return absl::OkStatus();
  return absl::InvalidArgumentError("mesh id \"" + std::string(mesh_id) +
                                    "\" is not 8 lower-case hex characters");
}

absl::Status Malformed(std::string_view uri) {
  return absl::InvalidArgumentError("\"" + std::string(uri) + "\" is not an identity of a mesh");
}

}  // namespace

bool IsMeshId(std::string_view text) {
  return text.size() == kMeshIdLength && std::all_of(text.begin(), text.end(), [](char c) {
           return IsDigit(c) || (c >= 'a' && c <= 'f');
         });
}

bool IsServiceName(std::string_view text) {
  return !text.empty() && text.size() <= kMostServiceName && IsLower(text.front()) &&
         std::all_of(
             text.begin(), text.end(), [](char c) { return IsLower(c) || IsDigit(c) || c == '-'; });
}

std::string Describe(const PeerIdentity& peer) {
  switch (peer.kind) {
    case PeerKind::kService:
      return "service/" + peer.name;
    case PeerKind::kGuest:
      return "guest/" + peer.name;
    case PeerKind::kNone:
      break;
  }
  return "nobody";
}

absl::StatusOr<std::string> ServiceSpiffeId(std::string_view mesh_id, std::string_view service) {
  TROVE_RETURN_IF_ERROR(CheckMeshId(mesh_id));
  if (!IsServiceName(service)) {
    return absl::InvalidArgumentError("\"" + std::string(service) + "\" cannot name a service");
  }
  return std::string(kPrefix) + std::string(mesh_id) + std::string(kServicePath) +
         std::string(service);
}

absl::StatusOr<std::string> GuestSpiffeId(std::string_view mesh_id, const GuestId& guest) {
  TROVE_RETURN_IF_ERROR(CheckMeshId(mesh_id));
  if (!IsGuestName(guest.value())) {
    return absl::InvalidArgumentError("guest id \"" + guest.value() +
                                      "\" is not a lower-case UUID");
  }
  return std::string(kPrefix) + std::string(mesh_id) + std::string(kGuestPath) + guest.value();
}

absl::StatusOr<PeerIdentity> ParseSpiffeId(std::string_view uri) {
  std::string_view rest = uri;
  if (!rest.starts_with(kPrefix)) return Malformed(uri);
  rest.remove_prefix(kPrefix.size());

  PeerIdentity peer;
  peer.mesh_id = std::string(rest.substr(0, kMeshIdLength));
  if (!IsMeshId(peer.mesh_id)) return Malformed(uri);
  rest.remove_prefix(kMeshIdLength);

  if (rest.starts_with(kServicePath)) {
    peer.kind = PeerKind::kService;
    peer.name = std::string(rest.substr(kServicePath.size()));
    if (!IsServiceName(peer.name)) return Malformed(uri);
    return peer;
  }
  if (rest.starts_with(kGuestPath)) {
    peer.kind = PeerKind::kGuest;
    peer.name = std::string(rest.substr(kGuestPath.size()));
    if (!IsGuestName(peer.name)) return Malformed(uri);
    return peer;
  }
  return Malformed(uri);
}

absl::StatusOr<PeerIdentity> IdentifyPeer(const std::vector<std::string>& uris,
                                          std::string_view mesh_id) {
  if (uris.size() != 1) {
    return absl::UnauthenticatedError("the peer's certificate carries " +
                                      std::to_string(uris.size()) + " URI names, not one");
  }
  absl::StatusOr<PeerIdentity> peer = ParseSpiffeId(uris.front());
  if (!peer.ok()) return absl::UnauthenticatedError(MessageOf(peer.status()));
  if (peer->mesh_id != mesh_id) {
    return absl::UnauthenticatedError("the peer belongs to mesh " + peer->mesh_id + ", not " +
                                      std::string(mesh_id));
  }
  return peer;
}

}  // namespace trove::identity
