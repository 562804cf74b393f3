#pragma once

#include <filesystem>

#include "libtrove/base/id.h"

namespace trove::taskmanager {

/// Where everything of a mesh lies on its host.
///
/// What a guest may write is a folder of its own inside one that belongs to us, so that nobody with
/// more rights ever writes where a guest could have laid a link.
struct ProcessLayout {
  std::filesystem::path data_dir;
  std::filesystem::path socket_dir;  ///< short: a socket's path ends at 107 bytes

  std::filesystem::path Templates() const { return data_dir / "templates"; }
  std::filesystem::path Template(const VersionId& version) const {
    return Templates() / version.value();
  }
  std::filesystem::path Volumes() const { return data_dir / "volumes"; }
  std::filesystem::path Volume(const VolumeId& volume) const { return Volumes() / volume.value(); }
  std::filesystem::path Snapshots() const { return data_dir / "snapshots"; }
  std::filesystem::path Guests() const { return data_dir / "guests"; }
  std::filesystem::path Guest(const GuestId& guest) const { return Guests() / guest.value(); }
  std::filesystem::path Trash() const { return data_dir / "trash"; }
  std::filesystem::path Records() const { return data_dir / "records"; }

  // Of one guest: ours, and readable for it.
  std::filesystem::path AgentConfig(const GuestId& guest) const {
    return Guest(guest) / "agent.yaml";
  }
  std::filesystem::path MeshCa(const GuestId& guest) const { return Guest(guest) / "mesh-ca.pem"; }
  std::filesystem::path Token(const GuestId& guest) const { return Guest(guest) / "enrol.token"; }
  std::filesystem::path KeeperSpec(const GuestId& guest) const {
    return Guest(guest) / "keeper.spec";
  }
  std::filesystem::path OldAgentMark(const GuestId& guest) const {
    return Guest(guest) / "old-agent";
  }
  std::filesystem::path StoppedMark(const GuestId& guest) const { return Guest(guest) / "stopped"; }
  // Of one guest: its own.
  std::filesystem::path State(const GuestId& guest) const { return Guest(guest) / "state"; }
  std::filesystem::path Sockets(const GuestId& guest) const {
    return socket_dir / guest.value().substr(0, 8);
  }
  std::filesystem::path KeeperSocket(const GuestId& guest) const {
    return Sockets(guest) / "keeper.sock";
  }
  std::filesystem::path AgentSocket(const GuestId& guest) const {
    return Sockets(guest) / "agent.sock";
  }
};

}  // namespace trove::taskmanager
