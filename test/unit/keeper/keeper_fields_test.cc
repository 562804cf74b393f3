#include "libtrove/agent/keeper_fields.h"

#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace trove::keeper {
namespace {

TEST_CASE("fields come back as they were written", "[unit][keeper]") {
  const std::string value = GENERATE("",
                                     "plain",
                                     "a=b=c",
                                     "two\nlines",
                                     "back\\slash\\",
                                     "\\n is not a line feed",
                                     " spaces ",
                                     "\xc3\xa9\xff");
  Fields fields;
  fields.Add("first_1", std::string_view(value));
  fields.Add("first_1", std::string_view(value));
  fields.Add("z", "");
  CAPTURE(fields.Encode());
  const Parsed<Fields> back = Fields::Decode(fields.Encode());
  REQUIRE(back.value);
  CHECK(back.value->entries() == fields.entries());
}

TEST_CASE("text that is not fields is refused and the line named", "[unit][keeper]") {
  const auto [text, error] = GENERATE(table<std::string, std::string>({
      {"a=1", "line 1: no line feed at the end"},
      {"a=1\nb", "line 2: no line feed at the end"},
      {"a\n", "line 1: not key=value"},
      {"\n", "line 1: not key=value"},
      {"a=1\n=2\n", "line 2: not a key in front of ="},
      {"A=1\n", "line 1: not a key in front of ="},
      {"a b=1\n", "line 1: not a key in front of ="},
      {"a=\\t\n", "line 1: an unknown escape"},
      {"a=\\\n", "line 1: an unknown escape"},
      {std::string("a=\0\n", 4), "line 1: a NUL byte"},
      {"\x7f"
       "ELF\n",
       "line 1: not key=value"},
  }));
  CAPTURE(text);
  const Parsed<Fields> fields = Fields::Decode(text);
  CHECK_FALSE(fields.value);
  CHECK(fields.error == error);
}

TEST_CASE("a reader says what the first wrong value was", "[unit][keeper]") {
  const auto [text, error] = GENERATE(table<std::string, std::string>({
      {"", ""},
      {"count=7\n", ""},
      {"count=-7\n", ""},
      {"count=\n", "key count is not a number"},
      {"count=7 \n", "key count is not a number"},
      {"count=0x7\n", "key count is not a number"},
      {"count=99999999999999999999\n", "key count is not a number"},
      {"size=-1\n", "key size is not a number"},
      {"flag=1\n", ""},
      {"flag=yes\n", "key flag is not 0 or 1"},
      {"count=1\ncount=2\n", "key count comes twice"},
      {"word=a\nword=a\n", "key word comes twice"},
      {"list=a\nlist=b\n", ""},
      {"other=1\n", "unknown key other"},
  }));
  CAPTURE(text);
  FieldReader reader(Fields::Decode(text).value.value());
  std::int64_t count = 0;
  std::uint64_t size = 0;
  bool flag = false;
  std::string word;
  std::vector<std::string> list;
  reader.Read("count", count);
  reader.Read("size", size);
  reader.Read("flag", flag);
  reader.Read("word", word);
  reader.Read("list", list);
  CHECK(reader.ErrorIfLeftOver() == error);
}

TEST_CASE("an absent key leaves its target as it was", "[unit][keeper]") {
  FieldReader reader(Fields{});
  int number = 42;
  std::optional<int> none;
  reader.Read("number", number);
  reader.Read("none", none);
  CHECK(number == 42);
  CHECK_FALSE(none);
  CHECK(reader.error().empty());
}

}  // namespace
}  // namespace trove::keeper
