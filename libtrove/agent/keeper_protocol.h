#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libtrove/agent/keeper_fields.h"

/// What the keeper of a guest reads and says. The keeper is a small static program that outlives
/// many releases of the agent and of the control plane, so this is plain text over one AF_UNIX
/// socket of type SOCK_SEQPACKET: a frame is one packet of Fields, at most kMaxFrameBytes. A client
/// sends one request and gets one reply on the same connection; some replies come only when the
/// thing is done. After `subscribe` the connection carries events and nothing else.
namespace trove::keeper {

inline constexpr int kProtocolVersion = 1;
inline constexpr std::size_t kMaxFrameBytes = 64 * 1024;
/// The spec and the state file end at this size too.
inline constexpr std::size_t kMaxFileBytes = 256 * 1024;
/// Connections at one time; of these the guest's own uid may hold kMaxGuestConnections, so that a
/// guest gone mad cannot keep its provisioner out.
inline constexpr int kMaxConnections = 16;
inline constexpr int kMaxGuestConnections = 12;
/// Longest path of a unix socket, without the NUL that ends it.
inline constexpr std::size_t kMaxSocketPathBytes = 107;

/// How `trove-keeper` ends.
enum ExitCode : int {
  kExitOk = 0,
  kExitFailure = 1,          ///< stderr says what
  kExitUsage = 64,           ///< a wrong flag, or a spec that cannot be read
  kExitLocked = 75,          ///< another keeper holds the guest
  kExitStaleGeneration = 76  ///< the spec's generation is lower than the highest seen
};

/// A program to start. Nothing is inherited but what stands here. No secret belongs in it: it is
/// kept in the state file.
struct Command {
  std::vector<std::string> argv;         ///< argv[0] is an absolute path
  std::vector<std::string> environment;  ///< `NAME=value`
  std::string cwd;                       ///< empty: the guest's directory
  std::string output;                    ///< stdout and stderr are appended here; empty: /dev/null

  friend bool operator==(const Command&, const Command&) = default;
};

/// The spec file: who the guest is and how its keeper runs. Keys are the names of the fields, with
/// `agent_arg`, `agent_env`, `agent_cwd` and `agent_output` for `agent`, and `cgroup` for
/// `cgroups`; lists repeat their key. As root the keeper takes a spec only from a file that belongs
/// to root and that nobody else may write.
struct Spec {
  std::string guest_id;
  std::string mesh_id;
  /// 0: no claim, for a supervisor that merely starts the keeper again. Else it is persisted when
  /// higher than the highest seen, and the keeper refuses to start when lower.
  std::uint64_t generation = 0;
  std::string guest_dir;  ///< absolute; holds keeper.lock, keeper.state, keeper.deadline
  std::string socket;     ///< absolute; its folder exists and the guest's uid may write there
  uid_t uid = 0;          ///< dropped to before anything of the guest is touched; 0: stay
  gid_t gid = 0;          ///< likewise, with all supplementary groups; 0 exactly when uid is 0
  /// Directories whose cgroup.procs takes the keeper (and what it starts): one a v1 controller, or
  /// one for v2. One that cannot be joined is an error.
  std::vector<std::string> cgroups;
  std::string log;  ///< the keeper's own log, JSON lines, appended; empty: stderr (--detach: none)
  Command agent;
  std::optional<int> oom_score_adj;              ///< of keeper and agent, -1000 to 1000
  std::optional<int> server_oom_score_adj;       ///< of the server; not below the former
  std::uint64_t limit_nofile = 0;                ///< RLIMIT_NOFILE, soft and hard; 0: as inherited
  std::chrono::milliseconds stop_grace{20'000};  ///< for SIGTERM to the keeper
  std::chrono::milliseconds backoff_initial{100};
  std::chrono::milliseconds backoff_max{30'000};
  std::chrono::milliseconds backoff_stable{60'000};  ///< so long alive, and the delay starts afresh

  friend bool operator==(const Spec&, const Spec&) = default;
};

/// The one writer of spec files, and their reader. Reading checks what can be checked without
/// looking outside; the error names the key.
std::string EncodeSpec(const Spec& spec);
Parsed<Spec> ParseSpec(std::string_view text);

/// How a process ended.
struct ExitStatus {
  enum class Kind {
    kNone,        ///< it has not ended yet
    kExited,      ///< `value` is the exit code
    kSignaled,    ///< `value` is the signal
    kUnknown,     ///< it was not our child, or it ended while no keeper was there
    kNotStarted,  ///< `value` is the errno of the attempt
  };
  enum class Cause {
    kItself,    ///< nobody asked
    kStopped,   ///< StopServer, ReplaceAgent or StopAll
    kKilled,    ///< KillServer, or the grace period passed
    kDeadline,  ///< the armed deadline passed
  };
  Kind kind = Kind::kNone;
  int value = 0;
  Cause cause = Cause::kItself;
  std::int64_t at_ms = 0;  ///< Unix time

  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

/// One of the two programs. pid, start ticks and boot id together name a process for ever.
struct ProcessStatus {
  bool running = false;
  pid_t pid = 0;                    ///< of the running one, else 0
  std::uint64_t start_ticks = 0;    ///< field 22 of /proc/<pid>/stat
  std::int64_t started_at_ms = 0;   ///< Unix time of the latest start
  bool adopted = false;             ///< started by a keeper that is gone
  bool restart = false;             ///< started again when it ends by itself
  std::uint64_t restarts = 0;       ///< how often that happened, all keepers together
  std::uint64_t starts = 0;         ///< every start; tells one run from the next
  std::int64_t next_start_ms = -1;  ///< waits so long for its restart; -1: does not
  ExitStatus last_exit;

  friend bool operator==(const ProcessStatus&, const ProcessStatus&) = default;
};

/// All a keeper knows. Comes with every reply and event.
struct KeeperStatus {
  int protocol = kProtocolVersion;
  std::string guest_id;
  std::string mesh_id;
  std::string boot_id;
  pid_t keeper_pid = 0;
  std::uint64_t keeper_start_ticks = 0;
  std::int64_t keeper_started_at_ms = 0;  ///< Unix time
  std::uint64_t generation = 0;           ///< the highest seen
  bool stopping = false;                  ///< StopAll or SIGTERM has been taken
  std::int64_t deadline_ms = -1;          ///< left of the armed deadline; -1: not armed
  ProcessStatus agent;
  ProcessStatus server;

  friend bool operator==(const KeeperStatus&, const KeeperStatus&) = default;
};

void AddStatus(const KeeperStatus& status, Fields& fields);
void ReadStatus(FieldReader& reader, KeeperStatus& status);

// Requests. What changes anything carries a generation, at least 1: lower than the highest seen is
// refused as kStaleGeneration, higher is persisted first. A job uses the job's; what an agent does
// of its own accord uses the one that KeeperStatus shows.

/// Who are you, how are things. Answered at once.
struct StatusRequest {};

/// Turns the connection into a stream of events. The reply holds the status that events build on.
struct SubscribeRequest {};

/// Starts the server. kAlreadyRunning when it runs (also while it is being stopped); a pending
/// restart is replaced. Answered when exec has succeeded.
struct StartServerRequest {
  std::uint64_t generation = 0;
  Command command;
  bool restart = false;       ///< start it again, with back-off, when it ends by itself
  int stop_signal = SIGTERM;  ///< what StopAll and SIGTERM send it
};

/// `signal`, and SIGKILL when `grace` has passed. Answered when the server has ended, at once when
/// it does not run; it is not started again.
struct StopServerRequest {
  std::uint64_t generation = 0;
  int signal = SIGTERM;
  std::chrono::milliseconds grace{30'000};
};

/// SIGKILL for the server and its process group. Answered as StopServer.
struct KillServerRequest {
  std::uint64_t generation = 0;
};

/// Answered when the server that runs now has ended; at once when none runs.
struct WaitServerRequest {};

/// `after` from now (CLOCK_BOOTTIME: a suspended machine counts) the server is killed and not
/// started again, unless this is sent anew before. Without `after` it is disarmed. Survives the
/// agent, and the keeper as soon as there is a new one.
struct ArmDeadlineRequest {
  std::uint64_t generation = 0;
  std::optional<std::chrono::milliseconds> after;
};

/// SIGTERM for the agent, SIGKILL after `grace`, then the new one; the server is not touched.
/// kSpawn when the new one cannot be executed: the old one runs again. The provisioner only, which
/// writes the spec file anew before. Answered when the new agent has been executed.
struct ReplaceAgentRequest {
  std::uint64_t generation = 0;
  Command agent;
  std::chrono::milliseconds grace{10'000};
};

/// Stops agent and server (with its stop signal), SIGKILL after `grace`, then kills whatever they
/// left, answers, and the keeper exits with 0. The provisioner only. The one request that is
/// carried out also when its generation cannot be written (a full disk must not keep a guest
/// alive).
struct StopAllRequest {
  std::uint64_t generation = 0;
  std::chrono::milliseconds grace{20'000};
};

struct Request {
  std::string guest_id;  ///< empty, or whom the sender means: another keeper answers kWrongGuest
  std::variant<StatusRequest,
               SubscribeRequest,
               StartServerRequest,
               StopServerRequest,
               KillServerRequest,
               WaitServerRequest,
               ArmDeadlineRequest,
               ReplaceAgentRequest,
               StopAllRequest>
      what;
};

/// The generation that a request carries; empty for those that change nothing.
std::optional<std::uint64_t> GenerationOf(const Request& request);

std::string EncodeRequest(const Request& request);
/// Strict: an unknown key is an error, so that nothing is half done.
Parsed<Request> ParseRequest(std::string_view frame);

enum class Result {
  kOk,
  kBadRequest,
  kStaleGeneration,
  kAlreadyRunning,
  kSpawn,      ///< could not be executed
  kStopping,   ///< the keeper is on its way out
  kForbidden,  ///< not for this peer
  kWrongGuest,
  kBusy,    ///< too many connections
  kFailed,  ///< the keeper's own trouble: its state file cannot be written
};
/// As on the wire: `STALE_GENERATION`.
std::string_view NameOf(Result result);

struct Reply {
  Result result = Result::kOk;
  std::string message;  ///< for people; empty when kOk
  KeeperStatus status;
};

enum class EventKind {
  kSubscribed,  ///< made by the client from the reply to Subscribe: how things stand
  kAgentStarted,
  kAgentExited,
  kServerStarted,
  kServerExited,
  kDeadlineFired,
  kStopping,
};
std::string_view NameOf(EventKind kind);

struct Event {
  EventKind kind = EventKind::kSubscribed;
  KeeperStatus status;  ///< just after it happened
};

std::string EncodeReply(const Reply& reply);
std::string EncodeEvent(const Event& event);
/// Unknown keys are passed over: a newer keeper may say more.
Parsed<std::variant<Reply, Event>> ParseMessage(std::string_view frame);

}  // namespace trove::keeper
