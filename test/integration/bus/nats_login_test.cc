#include <memory>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <catch2/catch.hpp>

#include "libtrove/bus/nats_bus.h"
#include "test/integration/bus/bus_server.h"

namespace trove {
namespace {

// nats.c 3.4.1 spoils one login in 256. A loop of 2,000 without our retry fails with a probability
// of 1 - (255/256)^2000, that is 99.96 %.
TEST_CASE("two thousand logins succeed", "[integration][bus]") {
  const BusServer server;
  NatsBusOptions options = server.Everybody();
  options.wait_for_first_connection = true;
  // A login that only a later round saved would count as a success: with this it does not.
  options.reconnect = {absl::Minutes(10), absl::Minutes(10)};
  int failed = 0;
  for (int login = 0; login < 2000; ++login) {
    const auto bus = NatsBus::Connect(CallFor(absl::Seconds(30)), options);
    if (!bus.ok() || (*bus)->state().connections != 1) ++failed;
  }
  CHECK(failed == 0);
}

}  // namespace
}  // namespace trove
