#include "tools/trovectl/launch/log_rotation.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/unique_fd.h"

namespace trove::trovectl {
namespace {

namespace fs = std::filesystem;

constexpr int kMostLooks = 100;
constexpr std::size_t kChunk = std::size_t{256} << 10;

fs::path Part(const fs::path& file, int number) {
  return file.string() + "." + std::to_string(number);
}

// Appends what is in `from` after `offset` to `to`, up to the end as it is now.
absl::Status CopyRest(int from, off_t* offset, int to) {
  std::vector<char> buffer(kChunk);
  while (true) {
    const ssize_t got = ::pread(from, buffer.data(), buffer.size(), *offset);
    if (got < 0) return ErrnoStatus(errno, "read");
    if (got == 0) return absl::OkStatus();
    for (ssize_t written = 0; written < got;) {
      const ssize_t now =
          ::write(to, buffer.data() + written, static_cast<std::size_t>(got - written));
      if (now < 0) return ErrnoStatus(errno, "write");
      written += now;
    }
    *offset += got;
  }
}

}  // namespace

absl::Status RotateLog(const fs::path& file, const LogLimits& limits) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file, error);
  if (error || size <= limits.bytes) return absl::OkStatus();
  const UniqueFd log(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  if (!log) return ErrnoStatus(errno, "open " + file.string());

  const fs::path aside = file.string() + ".new";
  const UniqueFd copy(::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!copy) return ErrnoStatus(errno, "make " + aside.string());
  off_t copied = 0;
  if (const absl::Status done = CopyRest(log.get(), &copied, copy.get()); !done.ok()) {
    fs::remove(aside, error);
    return Annotate(done, "put " + file.string() + " aside");
  }
  for (int number = limits.kept - 1; number >= 1; --number)
    fs::rename(Part(file, number), Part(file, number + 1), error);
  fs::rename(aside, Part(file, 1), error);
  if (error) return ErrnoStatus(error.value(), "rename " + aside.string());
  // Once more, so that the moment in which a line can get lost is as short as can be; and again
  // while the last line is still being written.
  for (int look = 0; look < kMostLooks; ++look) {
    CopyRest(log.get(), &copied, copy.get()).IgnoreError();  // the log is cut in any case now
    char last = 0;
    if (::pread(log.get(), &last, 1, copied - 1) != 1 || last == '\n') break;
  }
  if (::ftruncate(log.get(), 0) != 0) return ErrnoStatus(errno, "cut " + file.string());
  return absl::OkStatus();
}

}  // namespace trove::trovectl
