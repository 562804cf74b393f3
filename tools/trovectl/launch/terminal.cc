#include "tools/trovectl/launch/terminal.h"

#include <fcntl.h>
#include <unistd.h>

#include <absl/time/clock.h>
#include <absl/time/time.h>

namespace trove::trovectl {
namespace {

void WriteTo(int fd, const std::string& text) {
  // Whoever does not listen misses it; the launcher's work goes on.
  [[maybe_unused]] const ssize_t written = ::write(fd, text.data(), text.size());
}

}  // namespace

void Terminal::LogTo(const std::filesystem::path& file) {
  log_ = UniqueFd(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
}

void Terminal::Say(int fd, const std::string& text) {
  if (fd >= 0) WriteTo(fd, text + "\n");
  if (log_) {
    WriteTo(
        log_.get(),
        absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ ", absl::Now(), absl::UTCTimeZone()) + text + "\n");
  }
}

}  // namespace trove::trovectl
