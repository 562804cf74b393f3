#include "libtrove/base/uuid.h"

#include <algorithm>
#include <cctype>
#include <set>

#include <catch2/catch.hpp>

namespace trove {
namespace {

TEST_CASE("a named id is the RFC 9562 version 5 id in our namespace", "[unit][base]") {
  // From Python: uuid.uuid5(UUID('9c1f0a52-6e3b-4d77-8b21-5d94e04ac613'), name).
  const auto [name, want] = GENERATE(table<std::string, std::string>({
      {"", "dbcbcd0d-03ee-5421-a7aa-0d6adec32a7a"},
      {"mariadb/10.11", "812e0432-8d9c-5e19-a7a6-839a19236b1b"},
      {"Größe", "8cbe5aef-e6e9-5a03-a512-76649390ba9a"},
  }));
  CHECK(NamedUuid(name) == want);
}

TEST_CASE("a new id is a random version 4 id", "[unit][base]") {
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    const std::string id = NewUuid();
    CAPTURE(id);
    CHECK(IsUuid(id));
    CHECK(id[14] == '4');
    CHECK(std::string("89ab").find(id[19]) != std::string::npos);
    seen.insert(id);
  }
  CHECK(seen.size() == 200);
}

TEST_CASE("an ordered id sorts after those made earlier", "[unit][base]") {
  const absl::Time first = absl::FromUnixMillis(1'700'000'000'123);
  const std::string id = NewOrderedUuid(first);
  CHECK(IsUuid(id));
  CHECK(id.substr(0, 13) == "018bcfe5-687b");
  CHECK(id[14] == '7');
  CHECK(std::string("89ab").find(id[19]) != std::string::npos);
  CHECK(NewOrderedUuid(first) != id);
  CHECK(NewOrderedUuid(first + absl::Milliseconds(1)) > id);
  CHECK(NewOrderedUuid(first + absl::Hours(24 * 365 * 100)) > id);
}

TEST_CASE("only a canonical id is one", "[unit][base]") {
  const auto [text, want] = GENERATE(table<std::string, bool>({
      {"9c1f0a52-6e3b-4d77-8b21-5d94e04ac613", true},
      {"9C1F0A52-6E3B-4D77-8B21-5D94E04AC613", true},
      {"00000000-0000-0000-0000-000000000000", true},
      {"", false},
      {"9c1f0a526e3b4d778b215d94e04ac613", false},
      {"{9c1f0a52-6e3b-4d77-8b21-5d94e04ac613}", false},
      {"9c1f0a52-6e3b-4d77-8b21-5d94e04ac61", false},
      {"9c1f0a52-6e3b-4d77-8b21-5d94e04ac6130", false},
      {"9c1f0a52-6e3b-4d77-8b21-5d94e04ac61g", false},
      {"9c1f0a5-26e3b-4d77-8b21-5d94e04ac613", false},
      {"-c1f0a52-6e3b-4d77-8b21-5d94e04ac613", false},
      {"9c1f0a52-6e3b-4d77-8b21-5d94e04ac61\xff", false},
  }));
  CAPTURE(text);
  CHECK(IsUuid(text) == want);
}

TEST_CASE("random texts have their length and alphabet", "[unit][base]") {
  CHECK(RandomBytes(0).empty());
  CHECK(RandomBytes(33).size() == 33);
  CHECK(RandomBytes(16) != RandomBytes(16));
  const std::string hex = RandomHex(20);
  CHECK(hex.size() == 40);
  CHECK(hex.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(RandomAlphanumeric(0).empty());
  // Long enough that every letter of the alphabet comes up (62 letters, 20,000 draws).
  const std::string text = RandomAlphanumeric(20000);
  CHECK(text.size() == 20000);
  CHECK(
      std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) != 0; }));
  CHECK(std::set<char>(text.begin(), text.end()).size() == 62);
}

}  // namespace
}  // namespace trove
