#include "agents/keeper/state_file.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <catch2/catch.hpp>

#include "test/support/temporary_directory.h"

namespace trove::keeper {
namespace {

StateFile OpenFile(const TemporaryDirectory& folder) {
  bool held = false;
  Parsed<StateFile> file = StateFile::Open(folder.path(), &held);
  REQUIRE(file.value);
  return *std::move(file.value);
}

State SomeState() {
  State state;
  state.status.guest_id = "0f0e";
  state.status.boot_id = "3238";
  state.status.generation = 7;
  state.status.server.running = true;
  state.status.server.pid = 99;
  state.status.server.start_ticks = 12345;
  state.server = {{"/usr/sbin/mariadbd", "--x=1\n2"}, {"A=b"}, "/v", "/v/log"};
  state.server_stop_signal = SIGINT;
  return state;
}

TEST_CASE("a keeper's state is what the next keeper reads", "[unit][keeper]") {
  const TemporaryDirectory folder;
  {
    const StateFile file = OpenFile(folder);
    CHECK(file.Read().value == State{});
    CHECK(file.Write(State{}).empty());
    CHECK(file.Write(SomeState()).empty());
  }
  const StateFile file = OpenFile(folder);
  CHECK(file.Read().value == SomeState());
  CHECK_FALSE(std::filesystem::exists(folder / "keeper.state.new"));
}

TEST_CASE("only one holds a guest's lock", "[unit][keeper]") {
  const TemporaryDirectory folder;
  bool held = false;
  {
    const StateFile first = OpenFile(folder);
    CHECK_FALSE(StateFile::Open(folder.path(), &held).value);
    CHECK(held);
  }
  CHECK(StateFile::Open(folder.path(), &held).value);
  CHECK_FALSE(held);
  CHECK_FALSE(StateFile::Open((folder / "none").string(), &held).value);
  CHECK_FALSE(held);
}

TEST_CASE("a damaged state is an error and not a fresh start", "[unit][keeper]") {
  const TemporaryDirectory folder;
  const StateFile file = OpenFile(folder);
  for (const std::string text : {"", "garbage", "guest_id=a\ngeneration=x\n", "generation=1\n"}) {
    CAPTURE(text);
    std::ofstream(folder / "keeper.state") << text;
    const Parsed<State> state = file.Read();
    CHECK_FALSE(state.value);
    CHECK(state.error.find("is damaged") != std::string::npos);
  }
}

TEST_CASE("an armed deadline holds within its boot only", "[unit][keeper]") {
  const TemporaryDirectory folder;
  const StateFile file = OpenFile(folder);
  CHECK_FALSE(file.ReadDeadline("boot-1"));
  CHECK(file.WriteDeadline("boot-1", BootTime(123)).empty());
  CHECK(file.ReadDeadline("boot-1") == BootTime(123));
  CHECK_FALSE(file.ReadDeadline("boot-2"));
  CHECK(file.WriteDeadline("boot-1", std::nullopt).empty());
  CHECK_FALSE(file.ReadDeadline("boot-1"));
  CHECK(file.WriteDeadline("boot-1", std::nullopt).empty());
}

TEST_CASE("a symbolic link in the place of a keeper's file is not followed", "[unit][keeper]") {
  const TemporaryDirectory folder;
  const std::filesystem::path target = folder / "target";
  std::ofstream(target) << "precious";
  std::filesystem::create_symlink(target, folder / "keeper.state.new");
  const StateFile file = OpenFile(folder);
  CHECK_FALSE(file.Write(SomeState()).empty());
  std::string kept;
  std::ifstream(target) >> kept;
  CHECK(kept == "precious");
}

}  // namespace
}  // namespace trove::keeper
