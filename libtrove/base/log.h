#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <absl/status/status.h>

namespace trove {

/// A value beside a log line. No secret and no pointer converts to it.
class LogValue {
 public:
  // NOLINTBEGIN(google-explicit-constructor): a field reads {"bytes", n}
  LogValue(std::string_view text) : value_(std::string(text)) {}
  LogValue(const std::string& text) : value_(text) {}
  LogValue(const char* text) : value_(std::string(text)) {}
  LogValue(std::same_as<bool> auto value) : value_(value) {}
  LogValue(std::signed_integral auto value) : value_(std::int64_t{value}) {}
  LogValue(std::unsigned_integral auto value) requires(!std::same_as<decltype(value), bool>)
      : value_(std::uint64_t{value}) {}
  LogValue(double value) : value_(value) {}
  LogValue(const absl::Status& status) : value_(status.ToString()) {}
  // NOLINTEND(google-explicit-constructor)

  using Value = std::variant<std::string, bool, std::int64_t, std::uint64_t, double>;
  const Value& value() const { return value_; }

 private:
  Value value_;
};

using LogField = std::pair<std::string_view, LogValue>;

enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// Writes one JSON object a line to stderr: time, level, service, message, then the fields. Bytes
/// that are not UTF-8 become U+FFFD, so that a line can always be parsed. The message is constant
/// text; what varies is a field. Cheap to copy; context is bound once by With. Thread-safe.
///
/// Info: a state changed. Warning: recovered, but look. Error: someone must act. Never a secret or
/// a whole request.
class Log {
 public:
  /// A log without context: what a library uses when nobody gave it one.
  Log() = default;

  /// The same log with one more field on every line.
  Log With(std::string_view key, const LogValue& value) const;

  void Debug(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void Info(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void Warning(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void Error(std::string_view message, std::initializer_list<LogField> fields = {}) const;

 private:
  void Write(LogLevel level,
             std::string_view message,
             std::initializer_list<LogField> fields) const;

  std::string context_;  // already JSON: ,"key":value …
};

/// Sets the process's service name and the lowest level that is written. Called once, in main.
void StartLogging(std::string_view service, LogLevel level);

/// `debug`, `info`, `warning` or `error`; kInvalidArgument names them otherwise.
absl::Status ParseLogLevel(std::string_view text, LogLevel* level);

}  // namespace trove
