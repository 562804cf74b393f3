#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/agent/server_settings.h"
#include "libtrove/base/call.h"
#include "libtrove/base/secret.h"

namespace trove::agent {

/// A database to create.
struct DatabaseSpec {
  std::string name;
  std::string character_set;  ///< empty: the server's
  std::string collation;      ///< empty: the character set's
};

/// A user to create.
struct UserSpec {
  std::string name;
  std::string host;  ///< `%`: anywhere
  Secret password;
  std::vector<std::string> databases;  ///< all rights on these
};

/// What a new server is made for.
struct PrepareSpec {
  std::vector<DatabaseSpec> databases;
  std::vector<UserSpec> users;
  ServerSettings settings;
};

/// Whether a server may be restarted, which its clients notice.
enum class Restarting { kForbidden, kAllowed };

/// How a database server is.
enum class ServerState {
  kDown,      ///< does not run, because nobody started it or it was stopped in order
  kCrashed,   ///< does not run, though it should
  kStarting,  ///< runs, and has not yet answered a query
  kHealthy,   ///< answers queries
  kBlocked,   ///< runs, answered once, and does not answer now
};

struct ServerHealth {
  ServerState state = ServerState::kDown;
  std::string message;  ///< why, in words; empty when healthy
  std::string version;  ///< exact number of the running server; empty when unknown
};

/// Says what a job does now, in words that a tenant may read: `copying the template`.
using Progress = std::function<void(std::string_view)>;

/// Told when a volume is about to be changed for good: from then on only the new engine may be
/// started on it. What it answers ends the upgrade when it is an error.
using PointOfNoReturn = std::function<absl::Status()>;

/// Drives one database server: the one class that differs per database. What every database can do
/// is pure here; an optional ability is an interface of its own, null when absent.
///
/// All but Check are called by one thread at a time; Check may be called beside them. All may be
/// repeated after a crash at any point, of the agent or the server, and then complete what was
/// begun. They end soon after the call's stop is requested, and leave a server that can be started.
///
/// Errors of all that take settings: kInvalidArgument: the server cannot be so, in words that a
/// tenant may read; doing it again does not help.
class Datastore {
 public:
  virtual ~Datastore() = default;

  /// Whether a server can be so, as far as that can be told without it.
  virtual absl::Status Validate(const ServerSettings& settings) const = 0;

  /// Makes the server on the (empty, template or half-prepared) volume work: accounts secured,
  /// databases and users created, listening for clients. Returns when it answers queries. Whatever
  /// `spec` asks for that is there already is left or set right.
  virtual absl::Status Prepare(const Call& call, const PrepareSpec& spec, const Progress& say) = 0;

  /// Starts the prepared server, unless it runs, and returns when it answers queries. Without
  /// settings it is started as it was last. When it does not come up with settings that it has not
  /// run with before, it is started as it was last, and that is an error.
  virtual absl::Status Start(const Call& call,
                             const std::optional<ServerSettings>& settings,
                             const Progress& say) = 0;

  /// Stops the server in order, and by force when the call ends first.
  virtual absl::Status Stop(const Call& call, const Progress& say) = 0;

  /// Makes a server that is meant to run be as `settings` say: what can be set in a running one is
  /// set there, and one that is down is started. True: the rest takes effect with its next start,
  /// as a restart was forbidden. When it fails, the server goes on, or is started, as it was.
  virtual absl::StatusOr<bool> Configure(const Call& call,
                                         const ServerSettings& settings,
                                         Restarting restarting,
                                         const Progress& say) = 0;

  /// Stops the server, starts it from the engine in `settings`, brings its own tables to the new
  /// version, and returns when it answers. `committed` is told after the old engine has stopped and
  /// before the new one starts. Errors: kInvalidArgument: an engine that is not there, a version
  /// older than the data, or one too far away; nothing has been touched then. So what was upgraded
  /// goes back in the same way once its data have been put back.
  virtual absl::Status Upgrade(const Call& call,
                               const ServerSettings& settings,
                               const PointOfNoReturn& committed,
                               const Progress& say) = 0;

  /// Takes over the data of another life of this guest: the agent's own account gets the password
  /// of this life, without a moment in which anybody comes in without one; tenants' data, accounts
  /// and passwords stay. Returns when the server answers.
  virtual absl::Status Adopt(const Call& call,
                             const ServerSettings& settings,
                             const Progress& say) = 0;

  /// How the server is now. Cheap: at most one short query.
  virtual ServerHealth Check(const Call& call) = 0;
};

}  // namespace trove::agent
