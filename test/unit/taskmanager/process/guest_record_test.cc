#include "services/taskmanager/process/guest_record.h"

#include <catch2/catch.hpp>

#include "libtrove/base/uuid.h"
#include "test/support/temporary_directory.h"

namespace trove::taskmanager {
namespace {

TEST_CASE("a host remembers a guest's record", "[unit][process]") {
  const TemporaryDirectory folder;
  const auto records = GuestRecords::Open(folder / "records");
  REQUIRE(records.ok());
  const GuestId guest(NewUuid());
  const auto unknown = records->Get(guest);
  REQUIRE(unknown.ok());
  CHECK(unknown->generation == 0);
  CHECK_FALSE(unknown->buried);
  CHECK(records->List()->empty());
  const GuestRecord record{.instance_id = "i-1",
                           .generation = std::int64_t{1} << 40,
                           .port = 20'001,
                           .uid = 200'001,
                           .buried = true};
  REQUIRE(records->Put(guest, record).ok());
  const auto known = GuestRecords::Open(folder / "records")->Get(guest);
  REQUIRE(known.ok());
  CHECK(known->instance_id == record.instance_id);
  CHECK(known->generation == record.generation);
  CHECK(known->port == record.port);
  CHECK(known->uid == record.uid);
  CHECK(known->buried);
  CHECK(*records->List() == std::vector{guest});
}

TEST_CASE("a guest is held by one at a time and others are not waited for", "[unit][process]") {
  const TemporaryDirectory folder;
  const auto records = GuestRecords::Open(folder / "records");
  REQUIRE(records.ok());
  const GuestId guest(NewUuid());
  {
    const auto held = records->Lock(CallFor(absl::Seconds(5)), guest);
    REQUIRE(held.ok());
    CHECK(absl::IsDeadlineExceeded(records->Lock(CallFor(absl::Milliseconds(30)), guest).status()));
    CHECK(records->Lock(CallFor(absl::Seconds(5)), GuestId(NewUuid())).ok());
  }
  CHECK(records->Lock(CallFor(absl::Seconds(5)), guest).ok());
}

}  // namespace
}  // namespace trove::taskmanager
