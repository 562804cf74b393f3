#include "libtrove/base/log.h"

#include <atomic>
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

void AppendJsonString(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          char escaped[8];
          std::snprintf(escaped, sizeof(escaped), "\\u%04x", static_cast<unsigned>(c));
          out += escaped;
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void AppendField(std::string& out, std::string_view key, const LogValue& value) {
  out += ',';
  AppendJsonString(out, key);
  out += ':';
  if (const auto* text = std::get_if<std::string>(&value.value())) {
    AppendJsonString(out, *text);
  } else if (const auto* flag = std::get_if<bool>(&value.value())) {
    out += *flag ? "true" : "false";
  } else if (const auto* number = std::get_if<std::int64_t>(&value.value())) {
    out += std::to_string(*number);
  } else {
    const double real = std::get<double>(value.value());
    out += std::isfinite(real) ? std::to_string(real) : "null";
  }
}

// The service's name, already as a JSON field. Set once in main, before there are threads.
std::string& ServiceField() {
  static std::string field;
  return field;
}

spdlog::logger& Sink() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto made = std::make_shared<spdlog::logger>("trove",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->set_level(spdlog::level::trace);
    return made;
  }();
  return *logger;
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
