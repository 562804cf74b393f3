#include "libtrove/agent/keeper_protocol.h"

#include <string>
#include <variant>

#include <catch2/catch.hpp>

namespace trove::keeper {
namespace {

using std::chrono::milliseconds;

Spec FullSpec() {
  Spec spec;
  spec.guest_id = "0f0e";
  spec.mesh_id = "deadbeef";
  spec.generation = 18446744073709551615u;
  spec.guest_dir = "/g/0f0e";
  spec.socket = "/run/trove/deadbeef/0f0e/keeper.sock";
  spec.uid = 200001;
  spec.gid = 200002;
  spec.cgroups = {"/sys/fs/cgroup/memory/a", "/sys/fs/cgroup/cpu/a"};
  spec.log = "/g/0f0e/keeper.log";
  spec.agent = {{"/bin/agent", "--a", ""}, {"A=1\n2", "B="}, "/g", "/g/agent.log"};
  spec.oom_score_adj = -500;
  spec.server_oom_score_adj = 100;
  spec.limit_nofile = 65536;
  spec.stop_grace = milliseconds(1);
  spec.backoff_initial = milliseconds(2);
  spec.backoff_max = milliseconds(3);
  spec.backoff_stable = milliseconds(4);
  return spec;
}

KeeperStatus FullStatus() {
  KeeperStatus status;
  status.guest_id = "0f0e";
  status.mesh_id = "deadbeef";
  status.boot_id = "3238";
  status.keeper_pid = 7;
  status.keeper_start_ticks = 8;
  status.keeper_started_at_ms = 9;
  status.generation = 10;
  status.stopping = true;
  status.deadline_ms = 11;
  status.agent = {true, 12, 13, 14, true, true, 15, 16, 17, {}};
  status.server.last_exit = {
      ExitStatus::Kind::kSignaled, 9, ExitStatus::Cause::kDeadline, 1795364632400};
  return status;
}

std::string Without(const std::string& text, const std::string& key) {
  Fields kept;
  const Parsed<Fields> fields = Fields::Decode(text);
  for (const auto& [name, value] : fields.value.value().entries()) {
    if (name != key) kept.Add(name, std::string_view(value));
  }
  return kept.Encode();
}

TEST_CASE("a spec file is read as it was written", "[unit][keeper]") {
  const Parsed<Spec> full = ParseSpec(EncodeSpec(FullSpec()));
  CHECK(full.error.empty());
  CHECK(full.value == FullSpec());

  Spec small;
  small.guest_id = "g";
  small.mesh_id = "m";
  small.guest_dir = "/g";
  small.socket = "/g/s";
  small.agent.argv = {"/bin/true"};
  CHECK(ParseSpec(EncodeSpec(small)).value == small);
}

TEST_CASE("a spec that lacks something or says nonsense is refused", "[unit][keeper]") {
  const auto [removed, added, error] = GENERATE(table<std::string, std::string, std::string>({
      {"guest_id", "", "missing key guest_id"},
      {"mesh_id", "", "missing key mesh_id"},
      {"guest_dir", "", "missing key guest_dir"},
      {"guest_dir", "guest_dir=g\n", "key guest_dir is not an absolute path"},
      {"socket", "", "missing key socket"},
      {"socket",
       "socket=/" + std::string(107, 's') + "\n",
       "key socket is longer than 107 bytes: /" + std::string(107, 's')},
      {"agent_arg", "", "missing key agent_arg"},
      {"agent_arg", "agent_arg=sh\n", "the first agent_arg is not an absolute path"},
      {"uid", "", "one of uid and gid is 0, the other is not"},
      {"uid", "uid=-1\n", "key uid is not a number"},
      {"uid", "uid=4294967296\n", "key uid is not a number"},
      {"gid", "gid=0\n", "one of uid and gid is 0, the other is not"},
      {"oom_score_adj", "oom_score_adj=1001\n", "key oom_score_adj is not between -1000 and 1000"},
      {"stop_grace_ms", "stop_grace_ms=-1\n", "key stop_grace_ms is not between 0 and a year"},
      {"", "colour=red\n", "unknown key colour"},
  }));
  CAPTURE(removed, added);
  const Parsed<Spec> spec = ParseSpec(Without(EncodeSpec(FullSpec()), removed) + added);
  CHECK_FALSE(spec.value);
  CHECK(spec.error == error);
}

template <class T>
T Echo(const T& own) {
  const Parsed<Request> back = ParseRequest(EncodeRequest({"0f0e", own}));
  CAPTURE(back.error);
  REQUIRE(back.value);
  CHECK(back.value->guest_id == "0f0e");
  REQUIRE(std::holds_alternative<T>(back.value->what));
  return std::get<T>(back.value->what);
}

TEST_CASE("each request is read as it was written", "[unit][keeper]") {
  Echo(StatusRequest{});
  Echo(SubscribeRequest{});
  Echo(WaitServerRequest{});
  CHECK(Echo(KillServerRequest{3}).generation == 3);

  const Command command{{"/usr/sbin/mariadbd", "--x"}, {"A=b"}, "/v", "/v/log"};
  const auto start = Echo(StartServerRequest{4, command, true, SIGINT});
  CHECK(start.generation == 4);
  CHECK(start.command == command);
  CHECK(start.restart);
  CHECK(start.stop_signal == SIGINT);

  const auto stop = Echo(StopServerRequest{5, SIGQUIT, milliseconds(1500)});
  CHECK(stop.generation == 5);
  CHECK(stop.signal == SIGQUIT);
  CHECK(stop.grace == milliseconds(1500));

  CHECK(Echo(ArmDeadlineRequest{6, milliseconds(0)}).after == milliseconds(0));
  CHECK_FALSE(Echo(ArmDeadlineRequest{6, {}}).after);

  const auto replace = Echo(ReplaceAgentRequest{7, command, milliseconds(2)});
  CHECK(replace.generation == 7);
  CHECK(replace.agent == command);
  CHECK(replace.grace == milliseconds(2));
  CHECK(Echo(StopAllRequest{8, milliseconds(3)}).grace == milliseconds(3));
}

TEST_CASE("a request with anything odd in it is refused whole", "[unit][keeper]") {
  const auto [frame, error] = GENERATE(table<std::string, std::string>({
      {"", "unknown request "},
      {"request=dance\n", "unknown request dance"},
      {"request=status\nrequest=status\n", "key request comes twice"},
      {"request=status\ngeneration=1\n", "unknown key generation"},
      {"request=kill_server\n", "missing key generation"},
      {"request=kill_server\ngeneration=0\n", "missing key generation"},
      {"request=kill_server\ngeneration=-1\n", "key generation is not a number"},
      {"request=kill_server\ngeneration=1\ngently=1\n", "unknown key gently"},
      {"request=start_server\ngeneration=1\n", "missing key server_arg"},
      {"request=start_server\ngeneration=1\nserver_arg=x\n",
       "the first server_arg is not an absolute path"},
      {"request=start_server\ngeneration=1\nserver_arg=/x\nstop_signal=0\n",
       "key stop_signal is not a signal"},
      {"request=stop_server\ngeneration=1\nsignal=65\n", "key signal is not a signal"},
      {"request=stop_server\ngeneration=1\ngrace_ms=-5\n",
       "key grace_ms is not between 0 and a year"},
      {"request=arm_deadline\ngeneration=1\nafter_ms=99999999999999\n",
       "key after_ms is not between 0 and a year"},
      {"GET / HTTP/1.1\r\n\r\n", "line 1: not key=value"},
  }));
  CAPTURE(frame);
  const Parsed<Request> request = ParseRequest(frame);
  CHECK_FALSE(request.value);
  CHECK(request.error == error);
}

TEST_CASE("only what changes something carries a generation", "[unit][keeper]") {
  CHECK_FALSE(GenerationOf({{}, StatusRequest{}}));
  CHECK_FALSE(GenerationOf({{}, SubscribeRequest{}}));
  CHECK_FALSE(GenerationOf({{}, WaitServerRequest{}}));
  CHECK(GenerationOf({{}, ArmDeadlineRequest{7, {}}}) == 7);
  CHECK(GenerationOf({{}, StopAllRequest{9}}) == 9);
}

TEST_CASE("replies and events are read as they were written", "[unit][keeper]") {
  const auto reply =
      ParseMessage(EncodeReply({Result::kStaleGeneration, "two\nlines", FullStatus()}));
  REQUIRE(reply.value);
  REQUIRE(std::holds_alternative<Reply>(*reply.value));
  CHECK(std::get<Reply>(*reply.value).result == Result::kStaleGeneration);
  CHECK(std::get<Reply>(*reply.value).message == "two\nlines");
  CHECK(std::get<Reply>(*reply.value).status == FullStatus());

  const auto event = ParseMessage(EncodeEvent({EventKind::kServerExited, FullStatus()}));
  REQUIRE(event.value);
  REQUIRE(std::holds_alternative<Event>(*event.value));
  CHECK(std::get<Event>(*event.value).kind == EventKind::kServerExited);
  CHECK(std::get<Event>(*event.value).status == FullStatus());
}

TEST_CASE("what a newer keeper says beyond our words is passed over", "[unit][keeper]") {
  CHECK(ParseMessage("reply=OK\nmood=good\n").value);
  CHECK_FALSE(ParseMessage("reply=MAYBE\n").value);
  CHECK_FALSE(ParseMessage("reply=OK\nevent=stopping\n").value);
  CHECK_FALSE(ParseMessage("mood=good\n").value);
}

TEST_CASE("a stale generation has a name on the wire", "[unit][keeper]") {
  CHECK(NameOf(Result::kStaleGeneration) == "STALE_GENERATION");
  CHECK(NameOf(Result::kFailed) == "FAILED");
  CHECK(NameOf(EventKind::kStopping) == "stopping");
}

}  // namespace
}  // namespace trove::keeper
