#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <absl/time/time.h>

#include "libtrove/base/id.h"

namespace trove {

/// What is being done to an instance. The values are Trove's own codes, and are stored.
enum class TaskStatus {
  kNone = 0x01,
  kDeleting = 0x02,
  kRebooting = 0x03,
  kResizing = 0x04,
  kBuilding = 0x05,
  kMigrating = 0x06,
  kRestartRequired = 0x07,
  kPromoting = 0x08,
  kEjecting = 0x09,
  kDetaching = 0x0b,
  kUpdating = 0x0c,
  kBuildingErrorServer = 0x51,
  kBuildingErrorVolume = 0x52,
  kBuildingErrorReplica = 0x54,
  kPromotionError = 0x55,
  kEjectionError = 0x56,
  kGrowingError = 0x57,
  kShrinkingError = 0x58,
  kUpgrading = 0x59,
  kUpgradingError = 0x5a,
  kBuildingErrorTimeoutGuest = 0x5b,
  kBuildingErrorPort = 0x5c,
  kUpdatingErrorAccess = 0x5d,
};

/// How the database server is, as the guest says. The values are Trove's own codes, and are stored.
enum class ServiceStatus {
  kRunning = 0x01,
  kBlocked = 0x02,
  kPaused = 0x03,
  kShutdown = 0x04,
  kDeleted = 0x05,
  kCrashed = 0x06,
  kFailed = 0x08,
  kBuilding = 0x09,
  kPromoting = 0x10,
  kEjecting = 0x11,
  kUnknown = 0x16,
  kNew = 0x17,
  kFailedTimeoutGuestAgent = 0x18,
  kInstanceReady = 0x19,
  kRestartRequired = 0x20,
  kHealthy = 0x21,
  kRestarting = 0x22,
};

/// Who may connect.
struct Access {
  bool is_public = false;
  std::vector<std::string> allowed_cidrs;

  friend bool operator==(const Access&, const Access&) = default;
};

/// The last failure of an instance.
struct Fault {
  std::string message;  ///< at most 255 characters
  std::string details;
  absl::Time created_at;

  friend bool operator==(const Fault&, const Fault&) = default;
};

/// What a tenant has.
struct Instance {
  InstanceId id;
  ProjectId project_id;
  std::string name;
  VersionId version_id;  ///< desired
  FlavorId flavor_id;
  int volume_size_gib = 0;
  std::optional<ConfigurationId> configuration_id;  ///< the configuration group it uses
  Access access;
  std::string region;
  bool system = false;  ///< ours (a drill, a rehearsal): neither listed nor charged
  TaskStatus task = TaskStatus::kNone;
  ServiceStatus service = ServiceStatus::kNew;
  absl::Time service_updated_at = absl::InfinitePast();
  std::optional<absl::Time>
      silent_since;  ///< the guest has not been heard since; absent: it is heard
  std::optional<Fault> fault;
  absl::Time created_at = absl::InfinitePast();
  absl::Time updated_at = absl::InfinitePast();
  std::int64_t version = 0;  ///< grows with every change

  friend bool operator==(const Instance&, const Instance&) = default;
};

/// One keeper, agent and database server.
struct Guest {
  GuestId id;
  InstanceId instance_id;
  int ordinal = 0;
  std::string role;       ///< `primary`, `replica`, or empty: stands alone
  std::int64_t term = 0;  ///< counts changes of the primary
  std::int64_t generation = 0;
  std::string placement;  ///< where it runs, in its provisioner's words: `process:<host>`; empty:
                          ///< nowhere yet
  std::string control_endpoint;  ///< where the agent's door is: `unix:/…`; empty: none yet
  std::string running_version;
  int agent_api = 0;
  int uid = 0;                     ///< numeric user it runs as; 0: its provisioner gives none
  std::string sealing_public_key;  ///< X25519, 32 bytes; empty: not enrolled
  std::string nkey_public;         ///< its name on the bus; empty: not enrolled
  std::optional<absl::Time> enrolled_at;
  std::int64_t incarnation = 0;  ///< last heard start of its agent; 0: never heard
  std::int64_t volume_used_bytes = 0;
  std::string message;  ///< what it last said of its status

  friend bool operator==(const Guest&, const Guest&) = default;
};

enum class VolumeState { kPending, kReady, kRemoved };

/// Where data lies.
struct Volume {
  VolumeId id;
  InstanceId instance_id;
  std::optional<GuestId> guest_id;
  int size_gib = 0;
  VolumeState state = VolumeState::kPending;

  friend bool operator==(const Volume&, const Volume&) = default;
};

/// Where clients connect.
struct Endpoint {
  EndpointId id;
  InstanceId instance_id;
  std::optional<GuestId> guest_id;
  std::string purpose = "primary";
  std::string address;  ///< empty: not assigned yet
  int port = 0;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

}  // namespace trove
