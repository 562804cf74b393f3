#include "agents/keeper/log.h"

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <ctime>

#include "agents/keeper/clock.h"

namespace trove::keeper {
namespace {

int g_log_fd = STDERR_FILENO;  // NOLINT: a process has one log

void AppendString(std::string& line, std::string_view text) {
  line += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (c < ' ' || c > '~') {
      line += c == '\n' ? "\\n" : "?";
    } else {
      line += c;
    }
  }
  line += '"';
}

void AppendTime(std::string& line, std::int64_t unix_ms) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  const std::size_t length = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
  line.append(text, length);
  std::snprintf(text, sizeof(text), ".%03dZ", static_cast<int>(unix_ms % 1000));
  line += text;
}

}  // namespace

std::string LogLine(std::int64_t unix_ms, Level level, std::string_view message, LogFields fields) {
  constexpr std::string_view kNames[] = {"info", "warning", "error"};
  std::string line = "{\"time\":\"";
  AppendTime(line, unix_ms);
  line += "\",\"level\":\"";
  line += kNames[static_cast<int>(level)];
  line += "\",\"service\":\"keeper\",\"message\":";
  AppendString(line, message);
  for (const auto& [key, value] : fields) {
    line += ',';
    AppendString(line, key);
    line += ':';
    AppendString(line, value);
  }
  line += '}';
  return line;
}

void Log(Level level, std::string_view message, LogFields fields) {
  const std::string line = LogLine(UnixMs(), level, message, fields) + '\n';
  // One write, so that lines of several writers do not mix. A full disk loses the line.
  [[maybe_unused]] const ssize_t written = ::write(g_log_fd, line.data(), line.size());
}

void LogTo(int fd) {
  g_log_fd = fd;
}

}  // namespace trove::keeper
