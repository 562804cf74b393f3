#include "libtrove/agent/keeper_protocol.h"

#include <array>
#include <type_traits>
#include <utility>

namespace trove::keeper {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongest{std::int64_t{366} * 24 * 3600 * 1000};

// Enumerators as words. The order is that of the enumerators.
template <class Enum, std::size_t N>
struct Words {
  std::array<std::string_view, N> words;

  std::string_view Of(Enum value) const { return words.at(static_cast<std::size_t>(value)); }
  std::optional<Enum> From(std::string_view word) const {
    for (std::size_t i = 0; i < N; ++i) {
      if (words[i] == word) return static_cast<Enum>(i);
    }
    return std::nullopt;
  }
};

constexpr Words<Result, 10> kResults{{"OK",
                                      "BAD_REQUEST",
                                      "STALE_GENERATION",
                                      "ALREADY_RUNNING",
                                      "SPAWN_FAILED",
                                      "STOPPING",
                                      "FORBIDDEN",
                                      "WRONG_GUEST",
                                      "BUSY",
                                      "FAILED"}};
constexpr Words<EventKind, 7> kEvents{{"subscribed",
                                       "agent_started",
                                       "agent_exited",
                                       "server_started",
                                       "server_exited",
                                       "deadline_fired",
                                       "stopping"}};
constexpr Words<ExitStatus::Kind, 5> kExitKinds{
    {"none", "exited", "signaled", "unknown", "not_started"}};
constexpr Words<ExitStatus::Cause, 4> kExitCauses{{"itself", "stopped", "killed", "deadline"}};

template <class Table, class Enum>
void ReadWord(FieldReader& reader, std::string_view key, const Table& table, Enum& value) {
  std::string word(table.Of(value));
  reader.Read(key, word);
  if (const auto known = table.From(word)) {
    value = *known;
  } else {
    reader.Fail("key " + std::string(key) + " is not one of its words");
  }
}

void ReadDuration(FieldReader& reader, std::string_view key, milliseconds& value) {
  std::int64_t count = value.count();
  reader.Read(key, count);
  value = milliseconds(count);
  if (value < milliseconds(0) || value > kLongest)
    reader.Fail("key " + std::string(key) + " is not between 0 and a year");
}

void AddCommand(const std::string& prefix, const Command& command, Fields& fields) {
  fields.AddAll(prefix + "_arg", command.argv);
  fields.AddAll(prefix + "_env", command.environment);
  if (!command.cwd.empty()) fields.Add(prefix + "_cwd", std::string_view(command.cwd));
  if (!command.output.empty()) fields.Add(prefix + "_output", std::string_view(command.output));
}

void ReadCommand(FieldReader& reader, const std::string& prefix, Command& command) {
  reader.Read(prefix + "_arg", command.argv);
  reader.Read(prefix + "_env", command.environment);
  reader.Read(prefix + "_cwd", command.cwd);
  reader.Read(prefix + "_output", command.output);
}

void CheckCommand(FieldReader& reader, const std::string& prefix, const Command& command) {
  if (command.argv.empty()) return reader.Missing(prefix + "_arg");
  if (command.argv[0].empty() || command.argv[0][0] != '/')
    reader.Fail("the first " + prefix + "_arg is not an absolute path");
}

void ReadGeneration(FieldReader& reader, std::uint64_t& generation) {
  reader.Read("generation", generation);
  if (generation == 0) reader.Missing("generation");
}

void ReadSignal(FieldReader& reader, std::string_view key, int& signal) {
  reader.Read(key, signal);
  if (signal < 1 || signal > 64) reader.Fail("key " + std::string(key) + " is not a signal");
}

void AddProcess(const std::string& prefix, const ProcessStatus& process, Fields& fields) {
  fields.Add(prefix + "_running", process.running);
  fields.Add(prefix + "_pid", std::int64_t{process.pid});
  fields.Add(prefix + "_start_ticks", process.start_ticks);
  fields.Add(prefix + "_started_at_ms", process.started_at_ms);
  fields.Add(prefix + "_adopted", process.adopted);
  fields.Add(prefix + "_restart", process.restart);
  fields.Add(prefix + "_restarts", process.restarts);
  fields.Add(prefix + "_starts", process.starts);
  fields.Add(prefix + "_next_start_ms", process.next_start_ms);
  fields.Add(prefix + "_exit_kind", kExitKinds.Of(process.last_exit.kind));
  fields.Add(prefix + "_exit_value", process.last_exit.value);
  fields.Add(prefix + "_exit_cause", kExitCauses.Of(process.last_exit.cause));
  fields.Add(prefix + "_exit_at_ms", process.last_exit.at_ms);
}

void ReadProcess(FieldReader& reader, const std::string& prefix, ProcessStatus& process) {
  reader.Read(prefix + "_running", process.running);
  reader.Read(prefix + "_pid", process.pid);
  reader.Read(prefix + "_start_ticks", process.start_ticks);
  reader.Read(prefix + "_started_at_ms", process.started_at_ms);
  reader.Read(prefix + "_adopted", process.adopted);
  reader.Read(prefix + "_restart", process.restart);
  reader.Read(prefix + "_restarts", process.restarts);
  reader.Read(prefix + "_starts", process.starts);
  reader.Read(prefix + "_next_start_ms", process.next_start_ms);
  ReadWord(reader, prefix + "_exit_kind", kExitKinds, process.last_exit.kind);
  reader.Read(prefix + "_exit_value", process.last_exit.value);
  ReadWord(reader, prefix + "_exit_cause", kExitCauses, process.last_exit.cause);
  reader.Read(prefix + "_exit_at_ms", process.last_exit.at_ms);
}

void ReadPath(FieldReader& reader, std::string_view key, std::string& path) {
  reader.Read(key, path);
  if (path.empty()) return reader.Missing(key);
  if (path[0] != '/') reader.Fail("key " + std::string(key) + " is not an absolute path");
}

void ReadOomScore(FieldReader& reader, std::string_view key, std::optional<int>& score) {
  reader.Read(key, score);
  if (score && (*score < -1000 || *score > 1000))
    reader.Fail("key " + std::string(key) + " is not between -1000 and 1000");
}

// One writer and one reader for each request; the word names it on the wire.

template <class T>
constexpr std::string_view kWord = "";
template <>
constexpr std::string_view kWord<StatusRequest> = "status";
template <>
constexpr std::string_view kWord<SubscribeRequest> = "subscribe";
template <>
constexpr std::string_view kWord<StartServerRequest> = "start_server";
template <>
constexpr std::string_view kWord<StopServerRequest> = "stop_server";
template <>
constexpr std::string_view kWord<KillServerRequest> = "kill_server";
template <>
constexpr std::string_view kWord<WaitServerRequest> = "wait_server";
template <>
constexpr std::string_view kWord<ArmDeadlineRequest> = "arm_deadline";
template <>
constexpr std::string_view kWord<ReplaceAgentRequest> = "replace_agent";
template <>
constexpr std::string_view kWord<StopAllRequest> = "stop_all";

template <class T>
constexpr bool kChanges = requires(const T& request) {
  request.generation;
};

template <class T>
void WriteOwn(const T&, Fields&) {}

void WriteOwn(const StartServerRequest& request, Fields& fields) {
  AddCommand("server", request.command, fields);
  fields.Add("restart", request.restart);
  fields.Add("stop_signal", request.stop_signal);
}

void WriteOwn(const StopServerRequest& request, Fields& fields) {
  fields.Add("signal", request.signal);
  fields.Add("grace_ms", std::int64_t{request.grace.count()});
}

void WriteOwn(const ArmDeadlineRequest& request, Fields& fields) {
  if (request.after) fields.Add("after_ms", std::int64_t{request.after->count()});
}

void WriteOwn(const ReplaceAgentRequest& request, Fields& fields) {
  AddCommand("agent", request.agent, fields);
  fields.Add("grace_ms", std::int64_t{request.grace.count()});
}

void WriteOwn(const StopAllRequest& request, Fields& fields) {
  fields.Add("grace_ms", std::int64_t{request.grace.count()});
}

template <class T>
void ReadOwn(FieldReader&, T&) {}

void ReadOwn(FieldReader& reader, StartServerRequest& request) {
  ReadCommand(reader, "server", request.command);
  CheckCommand(reader, "server", request.command);
  reader.Read("restart", request.restart);
  ReadSignal(reader, "stop_signal", request.stop_signal);
}

void ReadOwn(FieldReader& reader, StopServerRequest& request) {
  ReadSignal(reader, "signal", request.signal);
  ReadDuration(reader, "grace_ms", request.grace);
}

void ReadOwn(FieldReader& reader, ArmDeadlineRequest& request) {
  std::optional<std::int64_t> after;
  reader.Read("after_ms", after);
  if (!after) return;
  request.after = milliseconds(*after);
  if (*request.after < milliseconds(0) || *request.after > kLongest)
    reader.Fail("key after_ms is not between 0 and a year");
}

void ReadOwn(FieldReader& reader, ReplaceAgentRequest& request) {
  ReadCommand(reader, "agent", request.agent);
  CheckCommand(reader, "agent", request.agent);
  ReadDuration(reader, "grace_ms", request.grace);
}

void ReadOwn(FieldReader& reader, StopAllRequest& request) {
  ReadDuration(reader, "grace_ms", request.grace);
}

// Tries the alternatives of Request::what one after the other.
template <std::size_t I = 0>
bool ReadWhat(std::string_view word, FieldReader& reader, Request& request) {
  using What = decltype(Request::what);
  if constexpr (I == std::variant_size_v<What>) {
    return false;
  } else {
    using T = std::variant_alternative_t<I, What>;
    if (word != kWord<T>) return ReadWhat<I + 1>(word, reader, request);
    T own;
    if constexpr (kChanges<T>) ReadGeneration(reader, own.generation);
    ReadOwn(reader, own);
    request.what = std::move(own);
    return true;
  }
}

}  // namespace

std::string_view NameOf(Result result) {
  return kResults.Of(result);
}

std::string_view NameOf(EventKind kind) {
  return kEvents.Of(kind);
}

std::string EncodeSpec(const Spec& spec) {
  Fields fields;
  fields.Add("guest_id", std::string_view(spec.guest_id));
  fields.Add("mesh_id", std::string_view(spec.mesh_id));
  fields.Add("generation", spec.generation);
  fields.Add("guest_dir", std::string_view(spec.guest_dir));
  fields.Add("socket", std::string_view(spec.socket));
  fields.Add("uid", std::uint64_t{spec.uid});
  fields.Add("gid", std::uint64_t{spec.gid});
  fields.AddAll("cgroup", spec.cgroups);
  if (!spec.log.empty()) fields.Add("log", std::string_view(spec.log));
  AddCommand("agent", spec.agent, fields);
  if (spec.oom_score_adj) fields.Add("oom_score_adj", *spec.oom_score_adj);
  if (spec.server_oom_score_adj) fields.Add("server_oom_score_adj", *spec.server_oom_score_adj);
  fields.Add("limit_nofile", spec.limit_nofile);
  fields.Add("stop_grace_ms", std::int64_t{spec.stop_grace.count()});
  fields.Add("backoff_initial_ms", std::int64_t{spec.backoff_initial.count()});
  fields.Add("backoff_max_ms", std::int64_t{spec.backoff_max.count()});
  fields.Add("backoff_stable_ms", std::int64_t{spec.backoff_stable.count()});
  return fields.Encode();
}

Parsed<Spec> ParseSpec(std::string_view text) {
  Parsed<Fields> fields = Fields::Decode(text);
  if (!fields.value) return {{}, std::move(fields.error)};
  FieldReader reader(*fields.value);
  Spec spec;
  reader.Read("guest_id", spec.guest_id);
  if (spec.guest_id.empty()) reader.Missing("guest_id");
  reader.Read("mesh_id", spec.mesh_id);
  if (spec.mesh_id.empty()) reader.Missing("mesh_id");
  reader.Read("generation", spec.generation);
  ReadPath(reader, "guest_dir", spec.guest_dir);
  ReadPath(reader, "socket", spec.socket);
  if (spec.socket.size() > kMaxSocketPathBytes)
    reader.Fail("key socket is longer than 107 bytes: " + spec.socket);
  reader.Read("uid", spec.uid);
  reader.Read("gid", spec.gid);
  if ((spec.uid == 0) != (spec.gid == 0)) reader.Fail("one of uid and gid is 0, the other is not");
  reader.Read("cgroup", spec.cgroups);
  reader.Read("log", spec.log);
  ReadCommand(reader, "agent", spec.agent);
  CheckCommand(reader, "agent", spec.agent);
  ReadOomScore(reader, "oom_score_adj", spec.oom_score_adj);
  ReadOomScore(reader, "server_oom_score_adj", spec.server_oom_score_adj);
  reader.Read("limit_nofile", spec.limit_nofile);
  ReadDuration(reader, "stop_grace_ms", spec.stop_grace);
  ReadDuration(reader, "backoff_initial_ms", spec.backoff_initial);
  ReadDuration(reader, "backoff_max_ms", spec.backoff_max);
  ReadDuration(reader, "backoff_stable_ms", spec.backoff_stable);
  if (!reader.ErrorIfLeftOver().empty()) return {{}, reader.error()};
  return {std::move(spec), {}};
}

void AddStatus(const KeeperStatus& status, Fields& fields) {
  fields.Add("protocol", status.protocol);
  fields.Add("guest_id", std::string_view(status.guest_id));
  fields.Add("mesh_id", std::string_view(status.mesh_id));
  fields.Add("boot_id", std::string_view(status.boot_id));
  fields.Add("keeper_pid", std::int64_t{status.keeper_pid});
  fields.Add("keeper_start_ticks", status.keeper_start_ticks);
  fields.Add("keeper_started_at_ms", status.keeper_started_at_ms);
  fields.Add("generation", status.generation);
  fields.Add("stopping", status.stopping);
  fields.Add("deadline_ms", status.deadline_ms);
  AddProcess("agent", status.agent, fields);
  AddProcess("server", status.server, fields);
}

void ReadStatus(FieldReader& reader, KeeperStatus& status) {
  reader.Read("protocol", status.protocol);
  reader.Read("guest_id", status.guest_id);
  reader.Read("mesh_id", status.mesh_id);
  reader.Read("boot_id", status.boot_id);
  reader.Read("keeper_pid", status.keeper_pid);
  reader.Read("keeper_start_ticks", status.keeper_start_ticks);
  reader.Read("keeper_started_at_ms", status.keeper_started_at_ms);
  reader.Read("generation", status.generation);
  reader.Read("stopping", status.stopping);
  reader.Read("deadline_ms", status.deadline_ms);
  ReadProcess(reader, "agent", status.agent);
  ReadProcess(reader, "server", status.server);
}

std::optional<std::uint64_t> GenerationOf(const Request& request) {
  return std::visit(
      [](const auto& own) -> std::optional<std::uint64_t> {
        if constexpr (kChanges<std::decay_t<decltype(own)>>) {
          return own.generation;
        } else {
          return std::nullopt;
        }
      },
      request.what);
}

std::string EncodeRequest(const Request& request) {
  Fields fields;
  std::visit(
      [&](const auto& own) {
        using T = std::decay_t<decltype(own)>;
        fields.Add("request", kWord<T>);
        if (!request.guest_id.empty()) fields.Add("guest_id", std::string_view(request.guest_id));
        if constexpr (kChanges<T>) fields.Add("generation", own.generation);
        WriteOwn(own, fields);
      },
      request.what);
  return fields.Encode();
}

Parsed<Request> ParseRequest(std::string_view frame) {
  Parsed<Fields> fields = Fields::Decode(frame);
  if (!fields.value) return {{}, std::move(fields.error)};
  FieldReader reader(*fields.value);
  std::string word;
  Request request;
  reader.Read("request", word);
  reader.Read("guest_id", request.guest_id);
  if (!ReadWhat(word, reader, request)) reader.Fail("unknown request " + word);
  if (!reader.ErrorIfLeftOver().empty()) return {{}, reader.error()};
  return {std::move(request), {}};
}

std::string EncodeReply(const Reply& reply) {
  Fields fields;
  fields.Add("reply", NameOf(reply.result));
  if (!reply.message.empty()) fields.Add("message", std::string_view(reply.message));
  AddStatus(reply.status, fields);
  return fields.Encode();
}

std::string EncodeEvent(const Event& event) {
  Fields fields;
  fields.Add("event", NameOf(event.kind));
  AddStatus(event.status, fields);
  return fields.Encode();
}

Parsed<std::variant<Reply, Event>> ParseMessage(std::string_view frame) {
  Parsed<Fields> fields = Fields::Decode(frame);
  if (!fields.value) return {{}, std::move(fields.error)};
  FieldReader reader(*fields.value);
  std::string reply_word;
  std::string event_word;
  std::string message;
  KeeperStatus status;
  reader.Read("reply", reply_word);
  reader.Read("event", event_word);
  reader.Read("message", message);
  ReadStatus(reader, status);
  if (reply_word.empty() == event_word.empty()) reader.Fail("neither a reply nor an event");
  const auto result = kResults.From(reply_word);
  const auto kind = kEvents.From(event_word);
  if (!result && !kind) reader.Fail("unknown reply or event");
  if (!reader.error().empty()) return {{}, reader.error()};
  if (kind) return {Event{*kind, std::move(status)}, {}};
  return {Reply{*result, std::move(message), std::move(status)}, {}};
}

}  // namespace trove::keeper
