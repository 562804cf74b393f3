#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trove::gateway {

// The atoms of JSON, appended to a text that is being built.

/// `text` in quotes. Control characters, quotes and backslashes are escaped; everything else is
/// taken to be UTF-8 and copied.
void AppendJsonString(std::string* out, std::string_view text);

void AppendJsonInteger(std::string* out, std::int64_t value);
void AppendJsonInteger(std::string* out, std::uint64_t value);

/// The shortest digits that read back as `value`; null for what JSON cannot say (infinity, NaN).
void AppendJsonNumber(std::string* out, double value);

/// `YYYY-MM-DDTHH:MM:SS` in UTC, in quotes, fractions dropped; with a Z behind it on demand.
/// `seconds` counts from the epoch.
enum class TimeZoneMark { kNone, kZulu };
void AppendJsonTime(std::string* out, std::int64_t seconds, TimeZoneMark mark);

/// `YYYY-MM-DDTHH:MM:SS.ffffffZ` in UTC, in quotes: RFC 3339 in microseconds. `nanos` is 0 to
/// 999,999,999.
void AppendJsonInstant(std::string* out, std::int64_t seconds, std::int32_t nanos);

/// `text`, which is JSON itself, as it is; what is no JSON is written as a text, so that the
/// document stays one. Nothing is null.
void AppendJson(std::string* out, std::string_view text);

}  // namespace trove::gateway
