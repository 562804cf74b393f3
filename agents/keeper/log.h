#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace trove::keeper {

enum class Level { kInfo, kWarning, kError };

using LogFields = std::initializer_list<std::pair<std::string_view, std::string>>;

/// One event, one JSON line, in the form of libtrove/base/log.h. Not thread-safe, as nothing here.
void Log(Level level, std::string_view message, LogFields fields = {});

/// Where lines go from now on; stderr at first. The descriptor stays the caller's.
void LogTo(int fd);

/// The line that Log writes, without its line feed. `unix_ms` dates it.
std::string LogLine(std::int64_t unix_ms, Level level, std::string_view message, LogFields fields);

}  // namespace trove::keeper
