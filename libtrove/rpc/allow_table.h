#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "libtrove/identity/spiffe.h"

namespace trove::rpc {

/// What a listener demands of those who connect.
enum class ListenerKind {
  kMesh,    ///< mTLS: a certificate of the mesh's authority, with a SPIFFE id of this mesh
  kPublic,  ///< server TLS only; tenants prove themselves by a token, which the api checks
  kEnrol,   ///< server TLS only; for guests that have no certificate yet
};

/// "mesh", "public" or "enrol".
std::string_view NameOf(ListenerKind kind);

/// One rpc and who may call it.
struct AllowRow {
  /// On which listeners without client certificates it is open to anybody.
  enum class Open { kNowhere, kPublic, kEnrol, kPublicAndEnrol };

  std::string_view method;  ///< as on the wire: "/trove.v1.InstanceService/GetInstance"
  Open open = Open::kNowhere;
  /// Who may on a mesh listener: "service/<name>", "guest/*", or "*" for every identity of the
  /// mesh.
  std::vector<std::string_view> mesh;
};

/// Which identity may call which rpc on which listener. What no row allows is denied.
/// Thread-safe, as nothing changes it.
class AllowTable {
 public:
  /// Aborts when two rows name the same rpc.
  explicit AllowTable(const std::vector<AllowRow>& rows);

  /// Whether a row is about `method`.
  bool Names(std::string_view method) const { return rows_.contains(method); }

  /// Whether somebody may call `method` on listeners of this kind.
  bool IsOpenOn(std::string_view method, ListenerKind kind) const;

  /// OK when `peer` may call `method` on a listener of this kind. Errors: kPermissionDenied.
  absl::Status Check(std::string_view method,
                     ListenerKind kind,
                     const identity::PeerIdentity& peer) const;

  /// Every rpc that has a row, sorted.
  std::vector<std::string> Methods() const;

 private:
  std::map<std::string, AllowRow, std::less<>> rows_;
};

/// The table of this project (allow_rows.cc).
const AllowTable& TroveAllowTable();

}  // namespace trove::rpc
