#include "services/taskmanager/process/guest_record.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>

#include <cerrno>
#include <sstream>
#include <system_error>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"

namespace trove::taskmanager {
namespace {

constexpr int kLockPollMs = 5;

}  // namespace

absl::StatusOr<GuestRecords> GuestRecords::Open(std::filesystem::path folder) {
  TROVE_RETURN_IF_ERROR(MakeDirectory(folder, 0700));
  return GuestRecords(std::move(folder));
}

absl::StatusOr<GuestRecords::Hold> GuestRecords::Lock(const Call& call,
                                                      const GuestId& guest) const {
  const std::filesystem::path path = folder_ / (guest.value() + ".lock");
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return ErrnoStatus(errno, "open " + path.string());
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return ErrnoStatus(errno, "lock " + path.string());
    TROVE_RETURN_IF_ERROR(Annotate(call.Check(), "wait for guest " + guest.value()));
    ::poll(nullptr, 0, kLockPollMs);
  }
  return fd;
}

absl::StatusOr<GuestRecord> GuestRecords::Get(const GuestId& guest) const {
  GuestRecord record;
  const absl::StatusOr<std::string> text = ReadFile(folder_ / guest.value());
  if (absl::IsNotFound(text.status())) return record;
  TROVE_RETURN_IF_ERROR(text.status());
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    const std::string key = line.substr(0, equals);
    const std::string value = line.substr(equals + 1);
    if (key == "instance_id") record.instance_id = value;
    std::istringstream number(value);
    if (key == "generation") number >> record.generation;
    if (key == "port") number >> record.port;
    if (key == "uid") number >> record.uid;
    if (key == "buried") record.buried = value == "1";
  }
  return record;
}

absl::Status GuestRecords::Put(const GuestId& guest, const GuestRecord& record) const {
  std::ostringstream text;
  text << "instance_id=" << record.instance_id << "\ngeneration=" << record.generation
       << "\nport=" << record.port << "\nuid=" << record.uid << "\nburied=" << record.buried
       << "\n";
  return WriteFileAtomically(folder_ / guest.value(), text.str(), 0600);
}

absl::StatusOr<std::vector<GuestId>> GuestRecords::List() const {
  std::vector<GuestId> guests;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    const std::string name = entry.path().filename();
    if (IsUuid(name)) guests.emplace_back(name);
  }
  if (error) return ErrnoStatus(error.value(), "list " + folder_.string());
  return guests;
}

}  // namespace trove::taskmanager
