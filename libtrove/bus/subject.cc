#include "libtrove/bus/subject.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>

#include <absl/status/status.h>

#include "libtrove/base/status_macros.h"

namespace trove {
namespace {

constexpr std::size_t kMaxWordLength = 128;
constexpr std::string_view kGuest = "trove.v1.guest.";
constexpr std::string_view kHeartbeat = "trove.v1.conductor.heartbeat.";
constexpr std::string_view kJobReport = "trove.v1.conductor.job.";
constexpr std::string_view kEvent = "trove.v1.event.";
constexpr std::array<std::string_view, 3> kGuestVerbs = {".job", ".cancel", ".settled"};

absl::Status CheckWord(std::string_view what, std::string_view word) {
  const bool plain = std::all_of(word.begin(), word.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '.' && c != '*' && c != '>';
  });
  if (plain && !word.empty() && word.size() <= kMaxWordLength) return absl::OkStatus();
  // The text itself stays out of the message: it may be long or hold control characters.
  return absl::InvalidArgumentError("no subject for this " + std::string(what) +
                                    ": it must have 1 to 128 printable characters without blanks, "
                                    "'.', '*' and '>'");
}

}  // namespace

class SubjectBuilder {
 public:
  static Subject Fixed(std::string_view text) { return Subject(std::string(text)); }

  static absl::StatusOr<Subject> OfGuest(std::string_view before,
                                         const GuestId& guest,
                                         std::string_view after) {
    TROVE_RETURN_IF_ERROR(CheckWord("guest id", guest.value()));
    return Subject(std::string(before) + guest.value() + std::string(after));
  }
};

Subject TaskWakeSubject() {
  return SubjectBuilder::Fixed("trove.v1.task.wake");
}

absl::StatusOr<Subject> GuestJobSubject(const GuestId& guest) {
  return SubjectBuilder::OfGuest(kGuest, guest, ".job");
}

absl::StatusOr<Subject> GuestCancelSubject(const GuestId& guest) {
  return SubjectBuilder::OfGuest(kGuest, guest, ".cancel");
}

absl::StatusOr<Subject> GuestSettledSubject(const GuestId& guest) {
  return SubjectBuilder::OfGuest(kGuest, guest, ".settled");
}

absl::StatusOr<Subject> HeartbeatSubject(const GuestId& guest) {
  return SubjectBuilder::OfGuest(kHeartbeat, guest, "");
}

Subject AnyHeartbeatSubject() {
  return SubjectBuilder::Fixed(std::string(kHeartbeat) + "*");
}

absl::StatusOr<Subject> JobReportSubject(const GuestId& guest) {
  return SubjectBuilder::OfGuest(kJobReport, guest, "");
}

Subject AnyJobReportSubject() {
  return SubjectBuilder::Fixed(std::string(kJobReport) + "*");
}

absl::StatusOr<Subject> EventSubject(const ProjectId& project,
                                     std::string_view resource,
                                     std::string_view id) {
  TROVE_RETURN_IF_ERROR(CheckWord("project id", project.value()));
  TROVE_RETURN_IF_ERROR(CheckWord("kind of resource", resource));
  TROVE_RETURN_IF_ERROR(CheckWord("resource id", id));
  std::string text(kEvent);
  text.append(project.value()).append(".").append(resource).append(".").append(id);
  return SubjectBuilder::Fixed(text);
}

Subject AnyEventSubject() {
  return SubjectBuilder::Fixed(std::string(kEvent) + ">");
}

bool IsEventSubject(const Subject& subject) {
  std::string_view words = subject.value();
  if (!words.starts_with(kEvent)) return false;
  words.remove_prefix(kEvent.size());
  return std::count(words.begin(), words.end(), '.') == 2;
}

absl::StatusOr<GuestId> GuestOf(const Subject& subject) {
  std::string_view word = subject.value();
  if (word.starts_with(kGuest)) {
    word.remove_prefix(kGuest.size());
    const auto verb = std::find_if(kGuestVerbs.begin(), kGuestVerbs.end(), [&](auto candidate) {
      return word.ends_with(candidate);
    });
    word.remove_suffix(verb == kGuestVerbs.end() ? word.size() : verb->size());
  } else if (word.starts_with(kHeartbeat)) {
    word.remove_prefix(kHeartbeat.size());
  } else if (word.starts_with(kJobReport)) {
    word.remove_prefix(kJobReport.size());
  } else {
    word = {};
  }
  if (!CheckWord("guest id", word).ok()) {
    return absl::InvalidArgumentError("no guest is named by the subject " + subject.value());
  }
  return GuestId(std::string(word));
}

}  // namespace trove
