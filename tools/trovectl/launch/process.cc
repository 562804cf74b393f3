#include "tools/trovectl/launch/process.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <sstream>
#include <system_error>

#include <absl/time/clock.h>

#include "libtrove/base/files.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/subprocess.h"

namespace trove::trovectl {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kKillLimit = absl::Seconds(5);

// The state letter of /proc/<pid>/stat; 0 when there is no such process.
char StateOf(pid_t pid) {
  const absl::StatusOr<std::string> stat = ReadFile("/proc/" + std::to_string(pid) + "/stat");
  if (!stat.ok()) return 0;
  const std::size_t end = stat->rfind(") ");
  return end == std::string::npos || end + 2 >= stat->size() ? '\0' : (*stat)[end + 2];
}

// The file name of what a process runs; empty when there is no such process.
std::string ProgramOf(pid_t pid) {
  std::error_code error;
  std::string name = fs::read_symlink("/proc/" + std::to_string(pid) + "/exe", error).filename();
  // The program may have been replaced by a newer one since.
  constexpr std::string_view kDeleted = " (deleted)";
  if (name.ends_with(kDeleted)) name.resize(name.size() - kDeleted.size());
  return error ? "" : name;
}

bool EndsWithin(const ProcessMark& mark, absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  while (IsAlive(mark)) {
    if (absl::Now() >= deadline) return false;
    ::poll(nullptr, 0, 10);
  }
  return true;
}

}  // namespace

absl::StatusOr<ProcessMark> MarkProcess(pid_t pid) {
  ProcessMark mark;
  mark.pid = pid;
  TROVE_ASSIGN_OR_RETURN(mark.start_ticks, ProcessStartTicks(pid));
  TROVE_ASSIGN_OR_RETURN(mark.boot_id, BootId());
  mark.program = ProgramOf(pid);
  if (mark.program.empty())
    return absl::NotFoundError("there is no process " + std::to_string(pid));
  return mark;
}

std::string MarkText(const ProcessMark& mark) {
  return std::to_string(mark.pid) + " " + std::to_string(mark.start_ticks) + " " + mark.boot_id +
         " " + mark.program + "\n";
}

absl::StatusOr<ProcessMark> ParseMark(const std::string& text) {
  ProcessMark mark;
  std::istringstream words(text);
  if (!(words >> mark.pid >> mark.start_ticks >> mark.boot_id >> mark.program) || mark.pid <= 1)
    return absl::InvalidArgumentError("not a pid file");
  return mark;
}

bool IsAlive(const ProcessMark& mark) {
  const absl::StatusOr<std::string> boot = BootId();
  if (!boot.ok() || *boot != mark.boot_id) return false;
  const absl::StatusOr<std::uint64_t> ticks = ProcessStartTicks(mark.pid);
  if (!ticks.ok() || *ticks != mark.start_ticks) return false;
  const char state = StateOf(mark.pid);
  if (state == 0 || state == 'Z' || state == 'X') return false;
  return ProgramOf(mark.pid) == mark.program;
}

absl::StatusOr<bool> EndLeftover(const fs::path& file, absl::Duration grace) {
  const absl::StatusOr<std::string> text = ReadFile(file);
  if (absl::IsNotFound(text.status())) return false;
  if (!text.ok()) return text.status();
  const absl::StatusOr<ProcessMark> mark = ParseMark(*text);
  const bool lives = mark.ok() && IsAlive(*mark);
  if (lives) {
    ::kill(mark->pid, SIGTERM);
    if (!EndsWithin(*mark, grace)) {
      ::kill(mark->pid, SIGKILL);
      if (!EndsWithin(*mark, kKillLimit)) {
        return absl::InternalError(mark->program + " (pid " + std::to_string(mark->pid) +
                                   ") of an earlier start does not end");
      }
    }
  }
  std::error_code error;
  fs::remove(file, error);
  return lives;
}

}  // namespace trove::trovectl
