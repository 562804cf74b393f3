#include "services/gateway/codec/json_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>

#include <boost/json/parse.hpp>

namespace trove::gateway {
namespace {

// What a byte becomes inside quotes: 0: itself, 'u': \u00XX, else the letter behind the backslash.
constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> table{};
  for (int c = 0; c < 0x20; ++c)
    table[static_cast<std::size_t>(c)] = 'u';
  table['\b'] = 'b';
  table['\t'] = 't';
  table['\n'] = 'n';
  table['\f'] = 'f';
  table['\r'] = 'r';
  table['"'] = '"';
  table['\\'] = '\\';
  return table;
}();

template <typename Number>
void AppendDigits(std::string* out, Number value) {
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), value);
  static_cast<void>(error);  // the buffer holds any number
  out->append(buffer, end);
}

void PutTwo(char* at, int value) {
  at[0] = static_cast<char>('0' + value / 10);
  at[1] = static_cast<char>('0' + value % 10);
}

}  // namespace

void AppendJsonString(std::string* out, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  out->push_back('"');
  std::size_t plain = 0;  // where the run of bytes that need no escape began
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const char escape = kEscapes[byte];
    if (escape == 0) continue;
    out->append(text, plain, i - plain);
    plain = i + 1;
    out->push_back('\\');
    out->push_back(escape);
    if (escape == 'u') {
      out->append("00");
      out->push_back(kHex[byte >> 4]);
      out->push_back(kHex[byte & 15]);
    }
  }
  out->append(text, plain, text.size() - plain);
  out->push_back('"');
}

void AppendJsonInteger(std::string* out, std::int64_t value) {
  AppendDigits(out, value);
}

void AppendJsonInteger(std::string* out, std::uint64_t value) {
  AppendDigits(out, value);
}

void AppendJsonNumber(std::string* out, double value) {
  if (!std::isfinite(value)) {
    out->append("null");
    return;
  }
  AppendDigits(out, value);
}

void AppendJsonTime(std::string* out, std::int64_t seconds, TimeZoneMark mark) {
  std::int64_t days = seconds / 86400;
  std::int64_t rest = seconds % 86400;
  if (rest < 0) {
    rest += 86400;
    --days;
  }
  // Civil date from days, by Howard Hinnant's algorithm; protobuf allows the years 1 to 9999 only.
  const std::int64_t z = days + 719468;
  const std::int64_t era = (z >= 0 ? z : z - 146096) / 146097;
  const std::int64_t day_of_era = z - era * 146097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
  const auto day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  const auto month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  const auto year = static_cast<int>(year_of_era + era * 400 + (month <= 2 ? 1 : 0));

  char text[] = "\"0000-00-00T00:00:00";
  PutTwo(text + 1, year / 100);
  PutTwo(text + 3, year % 100);
  PutTwo(text + 6, month);
  PutTwo(text + 9, day);
  PutTwo(text + 12, static_cast<int>(rest / 3600));
  PutTwo(text + 15, static_cast<int>(rest / 60 % 60));
  PutTwo(text + 18, static_cast<int>(rest % 60));
  out->append(text, sizeof(text) - 1);
  out->append(mark == TimeZoneMark::kZulu ? "Z\"" : "\"");
}

void AppendJsonInstant(std::string* out, std::int64_t seconds, std::int32_t nanos) {
  AppendJsonTime(out, seconds, TimeZoneMark::kNone);
  out->pop_back();  // the quote
  char text[] = ".000000Z\"";
  for (int digit = 6, micros = nanos / 1000; digit > 0; --digit, micros /= 10)
    text[digit] = static_cast<char>('0' + micros % 10);
  out->append(text);
}

void AppendJson(std::string* out, std::string_view text) {
  if (text.empty()) {
    out->append("null");
    return;
  }
  boost::json::error_code error;
  boost::json::parse({text.data(), text.size()}, error);
  if (error) {
    AppendJsonString(out, text);
  } else {
    out->append(text);
  }
}

}  // namespace trove::gateway
