#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

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
  std::int64_t memory_mib = 0;
  int vcpus = 0;
  std::string address;  ///< to listen on for clients
  int port = 0;
};

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

/// Drives one database server: the one class that differs per database. What every database can do
/// is pure here; an optional ability is an interface of its own, null when absent.
///
/// Prepare, Start, Stop and Restart are called by one thread at a time; Check may be called beside
/// them. All may be repeated after a crash at any point and then complete what was begun.
class Datastore {
 public:
  virtual ~Datastore() = default;

  /// Makes the server on the (empty, template or half-prepared) volume work: accounts secured,
  /// databases and users created, listening for clients. Returns when it answers queries. Whatever
  /// `spec` asks for that is there already is left or set right.
  virtual absl::Status Prepare(const Call& call, const PrepareSpec& spec, const Progress& say) = 0;

  /// Starts the prepared server, unless it runs, and returns when it answers queries.
  virtual absl::Status Start(const Call& call, const Progress& say) = 0;

  /// Stops the server in order, and by force when the call ends first.
  virtual absl::Status Stop(const Call& call, const Progress& say) = 0;

  /// How the server is now. Cheap: at most one short query.
  virtual ServerHealth Check(const Call& call) = 0;
};

}  // namespace trove::agent
