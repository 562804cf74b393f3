#include "libtrove/base/log.h"

#include <atomic>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <memory>

#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace trove {
namespace {

std::atomic<LogLevel> g_level{LogLevel::kInfo};  // NOLINT: the process has one stderr and one level

// The length of the UTF-8 sequence at the start of `text` (not empty), 0 when there is none
// (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t Utf8Length(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return static_cast<unsigned char>(text[i]);
  };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const std::size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool surrogate = first == 0xed && byte(1) >= 0xa0;
  const bool beyond = first == 0xf4 && byte(1) >= 0x90;
  return overlong || surrogate || beyond ? 0 : length;
}

void AppendJsonString(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const std::size_t length = Utf8Length(text);
    const char c = text.front();
    if (length == 0) {
      out += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (length == 1 && static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\u%04x", static_cast<unsigned>(c));
      out += escaped;
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

void AppendJson(std::string& out, const std::string& text) {
  AppendJsonString(out, text);
}
void AppendJson(std::string& out, bool flag) {
  out += flag ? "true" : "false";
}
void AppendJson(std::string& out, std::int64_t number) {
  out += std::to_string(number);
}
void AppendJson(std::string& out, std::uint64_t number) {
  out += std::to_string(number);
}
void AppendJson(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof(text), number);
  out.append(text, end);
}

void AppendField(std::string& out, std::string_view key, const LogValue& value) {
  out += ',';
  AppendJsonString(out, key);
  out += ':';
  std::visit([&out](const auto& held) { AppendJson(out, held); }, value.value());
}

// The service's name, already as a JSON field. Set once in main, before there are threads.
std::string& ServiceField() {
  static auto& field = *new std::string;  // never destroyed, as Sink
  return field;
}

// Never destroyed: a thread may log while the process exits.
spdlog::logger& Sink() {
  static spdlog::logger& logger = []() -> spdlog::logger& {
    auto* made = new spdlog::logger("trove", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->set_level(spdlog::level::trace);
    return *made;
  }();
  return logger;
}

constexpr std::string_view kNames[] = {"debug", "info", "warning", "error"};

}  // namespace

Log Log::With(std::string_view key, const LogValue& value) const {
  Log bound = *this;
  AppendField(bound.context_, key, value);
  return bound;
}

void Log::Debug(std::string_view message, std::initializer_list<LogField> fields) const {
  Write(LogLevel::kDebug, message, fields);
}
void Log::Info(std::string_view message, std::initializer_list<LogField> fields) const {
  Write(LogLevel::kInfo, message, fields);
}
void Log::Warning(std::string_view message, std::initializer_list<LogField> fields) const {
  Write(LogLevel::kWarning, message, fields);
}
void Log::Error(std::string_view message, std::initializer_list<LogField> fields) const {
  Write(LogLevel::kError, message, fields);
}

void Log::Write(LogLevel level,
                std::string_view message,
                std::initializer_list<LogField> fields) const {
  if (level < g_level.load(std::memory_order_relaxed)) return;
  std::string line = "{\"time\":\"";
  line += absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::Now(), absl::UTCTimeZone());
  line += "\",\"level\":\"";
  line += kNames[static_cast<int>(level)];
  line += '"';
  line += ServiceField();
  line += ",\"message\":";
  AppendJsonString(line, message);
  line += context_;
  for (const auto& [key, value] : fields)
    AppendField(line, key, value);
  line += '}';
  Sink().log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

void StartLogging(std::string_view service, LogLevel level) {
  ServiceField().clear();
  AppendField(ServiceField(), "service", service);
  g_level = level;
}

absl::Status ParseLogLevel(std::string_view text, LogLevel* level) {
  for (int i = 0; i < 4; ++i) {
    if (kNames[i] == text) {
      *level = static_cast<LogLevel>(i);
      return absl::OkStatus();
    }
  }
  return absl::InvalidArgumentError("log level must be debug, info, warning or error, not " +
                                    std::string(text));
}

}  // namespace trove
