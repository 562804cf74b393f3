#include "services/taskmanager/process/claims.h"

#include <atomic>
#include <thread>

#include <catch2/catch.hpp>

#include "test/support/temporary_directory.h"

namespace trove::taskmanager {
namespace {

TEST_CASE("of all who claim a number at once one gets it", "[unit][process]") {
  const TemporaryDirectory folder;
  std::atomic<int> taken = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i) {
      threads.emplace_back([&, i] {
        const auto claims = Claims::Open(folder / "claims", "mesh" + std::to_string(i % 4));
        if (!claims.ok()) return;
        const auto ours = claims->Take("port", 20'000, "guest" + std::to_string(i));
        if (ours.value_or(false)) ++taken;
      });
    }
  }
  CHECK(taken == 1);
}

TEST_CASE("a claim is its owner's until the owner gives it back", "[unit][process]") {
  const TemporaryDirectory folder;
  const auto one = Claims::Open(folder / "claims", "one");
  const auto two = Claims::Open(folder / "claims", "two");
  REQUIRE(one.ok());
  REQUIRE(two.ok());
  CHECK(one->Take("uid", 5, "guest").value_or(false));
  CHECK(one->Take("uid", 5, "guest").value_or(false));
  CHECK_FALSE(one->Take("uid", 5, "other").value_or(true));
  CHECK_FALSE(two->Take("uid", 5, "guest").value_or(true));
  CHECK(two->Take("port", 5, "guest").value_or(false));
  CHECK(two->Return("uid", 5, "guest").ok());
  CHECK_FALSE(two->Take("uid", 5, "guest").value_or(true));
  CHECK(one->Return("uid", 5, "guest").ok());
  CHECK(one->Return("uid", 5, "guest").ok());
  CHECK(two->Take("uid", 5, "guest").value_or(false));
}

TEST_CASE("claims are not made in a folder that somebody else laid out", "[unit][process]") {
  const TemporaryDirectory folder;
  std::filesystem::create_directory_symlink("/tmp", folder / "claims");
  CHECK_FALSE(Claims::Open(folder / "claims", "one").ok());
}

}  // namespace
}  // namespace trove::taskmanager
