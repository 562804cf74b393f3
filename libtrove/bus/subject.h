#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/statusor.h>

#include "libtrove/base/id.h"

namespace trove {

/// Where a message on the bus goes: words joined by `.`. The builders below make every subject that
/// Trove sends to or listens on, and there is no other way to one; they refuse an id that would
/// change the meaning of the subject around it. A pattern (Any...) is for Subscribe only.
class Subject {
 public:
  /// What a message that arrived says it was sent to, unchecked.
  static Subject Received(std::string text) { return Subject(std::move(text)); }

  const std::string& value() const { return value_; }

  friend auto operator<=>(const Subject&, const Subject&) = default;

 private:
  friend class SubjectBuilder;
  explicit Subject(std::string value) : value_(std::move(value)) {}

  std::string value_;
};

// Ids, projects and resources: 1 to 128 printable ASCII characters, without `.`, `*`, `>` and
// blanks. Everything else is refused as kInvalidArgument.

/// An operation may be due: api, conductor -> taskmanagers. Core, a losable hint.
Subject TaskWakeSubject();

/// A signed job: taskmanager -> agent. A request, repeated until it is answered.
absl::StatusOr<Subject> GuestJobSubject(const GuestId& guest);

/// Stop a job: taskmanager -> agent. A request, as above.
absl::StatusOr<Subject> GuestCancelSubject(const GuestId& guest);

/// A job's result is stored and may be forgotten: taskmanager -> agent. A request, as above.
absl::StatusOr<Subject> GuestSettledSubject(const GuestId& guest);

/// A sign of life: agent -> every conductor. Core, losable.
absl::StatusOr<Subject> HeartbeatSubject(const GuestId& guest);
Subject AnyHeartbeatSubject();

/// Progress or the result of a job: agent -> one conductor. A request, repeated until answered.
absl::StatusOr<Subject> JobReportSubject(const GuestId& guest);
Subject AnyJobReportSubject();

/// An event (JetStream). `resource` is the kind (`instance`), `id` names which one.
absl::StatusOr<Subject> EventSubject(const ProjectId& project,
                                     std::string_view resource,
                                     std::string_view id);
Subject AnyEventSubject();

/// Whether `subject` is one that EventSubject makes.
bool IsEventSubject(const Subject& subject);

/// The guest that a subject of the six guest subjects above names. kInvalidArgument: `subject` is
/// not one of them. A guest can send only as itself: NATS holds it to its own subjects.
absl::StatusOr<GuestId> GuestOf(const Subject& subject);

}  // namespace trove
