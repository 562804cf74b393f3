#include "libtrove/base/secret.h"

#include <algorithm>
#include <memory>
#include <new>
#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

#include <catch2/catch.hpp>

#include "libtrove/base/log.h"

namespace trove {
namespace {

template <typename T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};

static_assert(Printable<std::string> && !Printable<Secret>, "printing a secret must not compile");
static_assert(!std::is_convertible_v<Secret, std::string>);
static_assert(!std::is_convertible_v<Secret, std::string_view>);
static_assert(!std::is_constructible_v<LogValue, Secret>, "nor may logging it");
static_assert(!std::is_constructible_v<LogValue, const Secret*>);

const std::string kShort = "hunter2";  // fits inside a std::string
const std::string kLong(100, 'x');     // does not

bool AllZero(const char* bytes, std::size_t count) {
  return std::all_of(bytes, bytes + count, [](char byte) { return byte == 0; });
}

TEST_CASE("a secret keeps its text through copies and moves", "[unit][base]") {
  const std::string text = GENERATE(as<std::string>{}, kShort, kLong, "");
  Secret first(text);
  CHECK(first.Reveal() == text);
  CHECK(first.empty() == text.empty());
  const Secret copy = first;
  CHECK(copy == first);
  Secret moved = std::move(first);
  CHECK(moved == copy);
  Secret assigned("something else");
  assigned = copy;
  CHECK(assigned == copy);
  Secret move_assigned("something else");
  move_assigned = std::move(moved);
  CHECK(move_assigned == copy);
  Secret& itself = assigned;
  assigned = itself;
  CHECK(assigned == copy);
}

TEST_CASE("secrets are equal when their texts are", "[unit][base]") {
  CHECK(Secret("abc") == Secret("abc"));
  CHECK_FALSE(Secret("abc") == Secret("abd"));
  CHECK_FALSE(Secret("abc") == Secret("ab"));
  CHECK_FALSE(Secret("abc") == Secret());
  CHECK(Secret() == Secret(""));
}

TEST_CASE("a dead secret leaves nothing in its memory", "[unit][base]") {
  alignas(Secret) unsigned char storage[sizeof(Secret)];
  auto* secret = new (storage) Secret(kShort);
  const char* inside = secret->Reveal().data();
  REQUIRE(std::string(inside) == kShort);
  std::destroy_at(secret);
  CHECK(AllZero(inside, kShort.size()));
}

TEST_CASE("a secret that was moved from holds nothing", "[unit][base]") {
  Secret from(kShort);
  const char* inside = from.Reveal().data();
  if (GENERATE(true, false)) {
    const Secret to = std::move(from);
    CHECK(AllZero(inside, kShort.size()));
  } else {
    Secret to(kLong);
    to = std::move(from);
    CHECK(AllZero(inside, kShort.size()));
  }
}

TEST_CASE("a secret that is assigned a shorter one keeps no rest", "[unit][base]") {
  Secret secret(kLong);
  const char* inside = secret.Reveal().data();
  secret = Secret(kShort);
  const Secret shorter("ab");
  secret = shorter;
  inside = secret.Reveal().data();
  CHECK(AllZero(inside + 2, kShort.size() - 2));
}

}  // namespace
}  // namespace trove
