#include "agents/keeper/proc.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <memory>

#include <dirent.h>

#include "libtrove/base/unique_fd.h"

namespace trove::keeper {
namespace {

template <class Number>
bool ToNumber(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::optional<ProcStat> ParseProcStat(std::string_view text) {
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  text.remove_prefix(name_end + 1);
  ProcStat stat;
  for (int field = 3; field <= 22; ++field) {
    if (text.empty() || text.front() != ' ') return std::nullopt;
    text.remove_prefix(1);
    const std::string_view word = text.substr(0, text.find_first_of(" \n"));
    text.remove_prefix(word.size());
    if (word.empty()) return std::nullopt;
    if (field == 3) stat.state = word.front();
    if (field == 4 && !ToNumber(word, stat.parent)) return std::nullopt;
    if (field == 22 && !ToNumber(word, stat.start_ticks)) return std::nullopt;
  }
  return stat;
}

std::optional<std::string> ReadSmallFile(const std::string& path, std::size_t most) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return std::nullopt;
  std::string text;
  char buffer[4096];
  while (true) {
    const ssize_t got = ::read(file.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > most) return std::nullopt;
  }
}

std::optional<ProcStat> ReadProcStat(pid_t pid) {
  const auto text = ReadSmallFile("/proc/" + std::to_string(pid) + "/stat", 4096);
  return text ? ParseProcStat(*text) : std::nullopt;
}

std::vector<pid_t> ChildrenOfSelf() {
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  std::vector<pid_t> children;
  if (proc == nullptr) return children;
  const pid_t self = ::getpid();
  while (const dirent* entry = ::readdir(proc.get())) {
    pid_t pid = 0;
    if (!ToNumber(std::string_view(entry->d_name), pid)) continue;
    const std::optional<ProcStat> stat = ReadProcStat(pid);
    if (stat && stat->parent == self) children.push_back(pid);
  }
  return children;
}

std::string ReadBootId() {
  std::string id = ReadSmallFile("/proc/sys/kernel/random/boot_id", 256).value_or("");
  while (!id.empty() && id.back() == '\n')
    id.pop_back();
  return id;
}

BootTime AgeOf(std::uint64_t start_ticks) {
  static const auto kTicksASecond = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  const std::uint64_t ns_a_tick = 1'000'000'000 / kTicksASecond;
  return Now() - BootTime(static_cast<std::int64_t>(start_ticks * ns_a_tick));
}

}  // namespace trove::keeper
