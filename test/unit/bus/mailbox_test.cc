#include "libtrove/bus/mailbox.h"

#include <atomic>
#include <memory>

#include <absl/status/statusor.h>
#include <catch2/catch.hpp>

#include "test/support/eventually.h"

namespace trove {
namespace {

BusMessage Message(std::string payload) {
  return {Subject::Received("x"), std::move(payload), nullptr};
}

TEST_CASE("a message larger than a mailbox passes through it when it is empty", "[unit][bus]") {
  std::atomic<int> heard = 0;
  Mailbox mailbox({.capacity_bytes = 2, .overflow = Overflow::kDropOldest},
                  [&](const BusMessage&) { ++heard; });
  mailbox.Deliver(Message("more than two"));
  CHECK(Eventually(absl::Seconds(20), [&] { return heard == 1; }));
}

TEST_CASE("a closed mailbox keeps nothing of its handler and of what waited", "[unit][bus]") {
  const auto captured = std::make_shared<int>(0);
  Mailbox mailbox({}, [captured](const BusMessage&) {});
  mailbox.Close();
  CHECK(captured.use_count() == 1);
  mailbox.Deliver({Subject::Received("x"), "late", [captured](std::string_view) {
                     return absl::OkStatus();
                   }});
  CHECK(captured.use_count() == 1);
  CHECK(mailbox.dropped() == 0);
}

}  // namespace
}  // namespace trove
