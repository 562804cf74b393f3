#include "libtrove/base/id.h"

#include <fcntl.h>
#include <unistd.h>

#include <set>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <utility>

#include <catch2/catch.hpp>

#include "libtrove/base/handle.h"
#include "libtrove/base/unique_fd.h"

namespace trove {
namespace {

static_assert(!std::is_convertible_v<std::string, InstanceId>, "a text is no id by itself");
static_assert(!std::is_convertible_v<InstanceId, std::string>);
static_assert(!std::is_constructible_v<InstanceId, GuestId>, "two kinds cannot be swapped");

TEST_CASE("ids compare, sort and hash by their text", "[unit][base]") {
  const InstanceId a("a");
  const InstanceId b("b");
  CHECK(a == InstanceId("a"));
  CHECK(a < b);
  CHECK(std::set<InstanceId>{b, a, b}.size() == 2);
  CHECK(std::unordered_set<InstanceId>{a, b, a}.size() == 2);
  CHECK(InstanceId().empty());
  CHECK(b.value() == "b");
}

int freed = 0;
void FreeInt(int* number) {
  ++freed;
  delete number;
}

TEST_CASE("a handle ends its object with the given function, once", "[unit][base]") {
  freed = 0;
  {
    Handle<int, FreeInt> handle(new int(1));
    const Handle<int, FreeInt> moved = std::move(handle);
    CHECK(*moved == 1);
    CHECK(freed == 0);
  }
  CHECK(freed == 1);
}

bool IsOpen(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

TEST_CASE("a descriptor is closed by its last owner", "[unit][base]") {
  UniqueFd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int fd = first.get();
  REQUIRE(first);
  SECTION("moving passes it on") {
    {
      const UniqueFd second = std::move(first);
      CHECK(second.get() == fd);
      CHECK(IsOpen(fd));
    }
    CHECK_FALSE(IsOpen(fd));
  }
  SECTION("assigning closes what was there") {
    first = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    CHECK(first);
    CHECK_FALSE(IsOpen(fd));
  }
  SECTION("released, it is the caller's") {
    CHECK(first.Release() == fd);
    CHECK_FALSE(first);
    CHECK(IsOpen(fd));
    ::close(fd);
  }
  SECTION("reset closes at once") {
    first.Reset();
    CHECK_FALSE(IsOpen(fd));
  }
}

}  // namespace
}  // namespace trove
