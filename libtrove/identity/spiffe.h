#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "libtrove/base/id.h"

namespace trove::identity {

/// The SPIFFE trust domain of every mesh; meshes are told apart by the first path segment.
inline constexpr std::string_view kTrustDomain = "trove";

/// Whether `text` is a mesh id: 8 lower-case hex characters, chosen when a mesh is made.
bool IsMeshId(std::string_view text);

/// Whether `text` can name a service: a lower-case letter, then up to 31 of [a-z0-9-].
bool IsServiceName(std::string_view text);

enum class PeerKind { kNone, kService, kGuest };

/// Who is on the other side of a connection, as its certificate says.
struct PeerIdentity {
  PeerKind kind = PeerKind::kNone;
  std::string mesh_id;
  std::string name;  ///< the service's name, or the guest's id; empty for kNone

  bool IsService(std::string_view service) const {
    return kind == PeerKind::kService && name == service;
  }
  bool IsGuest(const GuestId& guest) const {
    return kind == PeerKind::kGuest && name == guest.value();
  }

  friend bool operator==(const PeerIdentity&, const PeerIdentity&) = default;
};

/// "service/api", "guest/<uuid>" or "nobody": for logs and messages.
std::string Describe(const PeerIdentity& peer);

/// spiffe://trove/<mesh id>/service/<service>. Errors: kInvalidArgument: a malformed part.
absl::StatusOr<std::string> ServiceSpiffeId(std::string_view mesh_id, std::string_view service);

/// spiffe://trove/<mesh id>/guest/<guest>. Errors: kInvalidArgument: a malformed part; a guest id
/// is a lower-case UUID.
absl::StatusOr<std::string> GuestSpiffeId(std::string_view mesh_id, const GuestId& guest);

/// Takes apart exactly what the two functions above build, and nothing else: no other trust domain,
/// upper case, escape, query, trailing slash or further segment. Errors: kInvalidArgument.
absl::StatusOr<PeerIdentity> ParseSpiffeId(std::string_view uri);

/// The identity in a certificate's URI names. As SPIFFE demands there is exactly one, and it is of
/// the mesh `mesh_id`. Errors: kUnauthenticated: anything else.
absl::StatusOr<PeerIdentity> IdentifyPeer(const std::vector<std::string>& uris,
                                          std::string_view mesh_id);

}  // namespace trove::identity
