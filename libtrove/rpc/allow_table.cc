#include "libtrove/rpc/allow_table.h"

#include <algorithm>

#include "libtrove/base/check.h"

namespace trove::rpc {
namespace {

using Open = AllowRow::Open;

bool IsOpen(const AllowRow& row, ListenerKind kind) {
  switch (kind) {
    case ListenerKind::kMesh:
      return !row.mesh.empty();
    case ListenerKind::kPublic:
      return row.open == Open::kPublic || row.open == Open::kPublicAndEnrol;
    case ListenerKind::kEnrol:
      return row.open == Open::kEnrol || row.open == Open::kPublicAndEnrol;
  }
  return false;
}

bool Means(std::string_view who, const identity::PeerIdentity& peer) {
  switch (peer.kind) {
    case identity::PeerKind::kNone:
      return false;
    case identity::PeerKind::kGuest:
      return who == "*" || who == "guest/*";
    case identity::PeerKind::kService: {
      constexpr std::string_view kPrefix = "service/";
      return who == "*" || (who.starts_with(kPrefix) && who.substr(kPrefix.size()) == peer.name);
    }
  }
  return false;
}

}  // namespace

std::string_view NameOf(ListenerKind kind) {
  switch (kind) {
    case ListenerKind::kMesh:
      return "mesh";
    case ListenerKind::kPublic:
      return "public";
    case ListenerKind::kEnrol:
      return "enrol";
  }
  return "unknown";
}

AllowTable::AllowTable(const std::vector<AllowRow>& rows) {
  for (const AllowRow& row : rows) {
    const bool is_new = rows_.emplace(std::string(row.method), row).second;
    TROVE_CHECK(is_new);
  }
}

bool AllowTable::IsOpenOn(std::string_view method, ListenerKind kind) const {
  const auto found = rows_.find(method);
  return found != rows_.end() && IsOpen(found->second, kind);
}

absl::Status AllowTable::Check(std::string_view method,
                               ListenerKind kind,
                               const identity::PeerIdentity& peer) const {
  const auto found = rows_.find(method);
  if (found != rows_.end()) {
    const AllowRow& row = found->second;
    const bool allowed = kind == ListenerKind::kMesh
                             ? std::any_of(row.mesh.begin(),
                                           row.mesh.end(),
                                           [&](std::string_view who) { return Means(who, peer); })
                             : IsOpen(row, kind);
    if (allowed) return absl::OkStatus();
  }
  return absl::PermissionDeniedError(identity::Describe(peer) + " may not call " +
                                     std::string(method) + " on the " + std::string(NameOf(kind)) +
                                     " listener");
}

std::vector<std::string> AllowTable::Methods() const {
  std::vector<std::string> methods;
  methods.reserve(rows_.size());
  for (const auto& [method, row] : rows_)
    methods.push_back(method);
  return methods;
}

}  // namespace trove::rpc
