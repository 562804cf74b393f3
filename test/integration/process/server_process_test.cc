#include "libtrove/agent/server_process.h"

#include <csignal>
#include <thread>

#include <catch2/catch.hpp>

#include "test/integration/process/host.h"
#include "test/support/eventually.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

keeper::Command DeafServer() {
  keeper::Command command;
  command.argv = {"/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"};
  command.environment = {"PATH=/usr/bin:/bin"};
  return command;
}

TEST_CASE("a server that is being stopped is started anew and not taken for the one that is wanted",
          "[integration][process]") {
  Host host;
  const GuestSpec guest = host.NewRunningGuest();
  const keeper::KeeperClient keeper = host.KeeperOf(guest);
  const agent::ServerProcess server(keeper);
  REQUIRE(server.Start(Soon(), DeafServer(), SIGTERM).ok());
  const pid_t first = server.Status(Soon())->pid;
  CHECK(server.Start(Soon(), DeafServer(), SIGTERM).ok());
  CHECK(server.Status(Soon())->pid == first);

  const std::jthread stopper(
      [&] { server.Stop(Soon(), SIGTERM, absl::Milliseconds(500)).IgnoreError(); });
  REQUIRE(Eventually(kPatience, [&] { return !server.Status(Soon())->restart; }));
  CHECK(server.Start(Soon(), DeafServer(), SIGTERM).ok());
  const auto now = server.Status(Soon());
  REQUIRE(now.ok());
  CHECK(now->running);
  CHECK(now->restart);
  CHECK(now->pid != first);
}

}  // namespace
}  // namespace trove::taskmanager
