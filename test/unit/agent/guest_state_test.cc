#include "libtrove/agent/guest_state.h"

#include <absl/time/clock.h>
#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "test/support/temporary_directory.h"

namespace trove::agent {
namespace {

TEST_CASE("a guest's few facts survive its agent", "[unit][agent]") {
  const TemporaryDirectory folder;
  const std::int64_t before = absl::ToUnixMillis(absl::Now());
  std::int64_t first = 0;
  {
    const auto state = GuestState::Open(folder.path());
    REQUIRE(state.ok());
    first = (*state)->incarnation();
    CHECK(first >= before);
    CHECK((*state)->generation() == 0);
    CHECK_FALSE((*state)->prepared());
    CHECK_FALSE((*state)->wanted());
    CHECK((*state)->RaiseGeneration(3).ok());
    CHECK((*state)->RaiseGeneration(3).ok());
    CHECK(absl::IsAborted((*state)->RaiseGeneration(2)));
    CHECK((*state)->SetPrepared().ok());
    CHECK((*state)->SetWanted(true).ok());
  }
  {
    const auto state = GuestState::Open(folder.path());
    REQUIRE(state.ok());
    CHECK((*state)->incarnation() == first + 1);
    CHECK((*state)->generation() == 3);
    CHECK((*state)->prepared());
    CHECK((*state)->wanted());
    CHECK((*state)->SetWanted(false).ok());
    CHECK((*state)->SetWanted(false).ok());
  }
  const auto state = GuestState::Open(folder.path());
  REQUIRE(state.ok());
  CHECK((*state)->incarnation() == first + 2);
  CHECK_FALSE((*state)->wanted());
}

TEST_CASE("a guest remembers how its server is meant to be", "[unit][agent]") {
  const TemporaryDirectory folder;
  const ServerSettings settings{.memory_mib = 512,
                                .vcpus = 2,
                                .address = "127.0.0.1",
                                .port = 20'001,
                                .engine = "/opt/x",
                                .version_number = "10.11",
                                .volume_size_gib = 3,
                                .parameters = {{"max_connections", "77"}, {"sql_mode", "\"\""}}};
  {
    const auto state = GuestState::Open(folder.path());
    REQUIRE(state.ok());
    CHECK_FALSE((*state)->settings());
    CHECK((*state)->SetSettings(settings).ok());
    CHECK((*state)->settings() == settings);
  }
  const auto state = GuestState::Open(folder.path());
  REQUIRE(state.ok());
  CHECK((*state)->settings() == settings);
}

TEST_CASE("a damaged fact is an error and not a zero", "[unit][agent]") {
  const TemporaryDirectory folder;
  REQUIRE(WriteFileAtomically(folder / "generation", "many", 0600).ok());
  CHECK_FALSE(GuestState::Open(folder.path()).ok());
}

}  // namespace
}  // namespace trove::agent
