#include "libtrove/bus/checks.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "libtrove/base/status_macros.h"

namespace trove {
namespace {

// Printable, and nothing that NATS reads a meaning into.
bool IsPlainWord(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '*' && c != '>';
  });
}

absl::Status CheckSize(const Subject& subject, std::string_view payload, std::size_t most) {
  if (payload.size() <= most) return absl::OkStatus();
  return absl::InvalidArgumentError("send to " + subject.value() + ": " +
                                    std::to_string(payload.size()) + " bytes, at most " +
                                    std::to_string(most) + " are allowed");
}

absl::Status CheckTarget(const Subject& subject) {
  if (subject.value().find_first_of("*>") == std::string::npos) return absl::OkStatus();
  return absl::InvalidArgumentError("send to " + subject.value() + ": it is a pattern");
}

}  // namespace

absl::Status CheckMessage(const Subject& subject, std::string_view payload) {
  TROVE_RETURN_IF_ERROR(CheckTarget(subject));
  return CheckSize(subject, payload, kMaxBusPayloadBytes);
}

absl::Status CheckEvent(const Subject& subject, std::string_view payload, const EventId& msg_id) {
  TROVE_RETURN_IF_ERROR(CheckTarget(subject));
  TROVE_RETURN_IF_ERROR(CheckSize(subject, payload, kMaxEventPayloadBytes));
  if (!IsEventSubject(subject)) {
    return absl::InvalidArgumentError("publish an event to " + subject.value() +
                                      ": it is no event's subject");
  }
  if (IsPlainWord(msg_id.value())) return absl::OkStatus();
  return absl::InvalidArgumentError("publish an event to " + subject.value() +
                                    ": its message id must have 1 to 128 printable characters");
}

absl::Status CheckSubscription(const SubscribeOptions& options, const BusHandler& handler) {
  if (handler == nullptr) return absl::InvalidArgumentError("subscribe: no handler");
  if (options.capacity_messages == 0 || options.capacity_bytes == 0) {
    return absl::InvalidArgumentError("subscribe: a capacity of 0");
  }
  if (options.queue_group.empty() || IsPlainWord(options.queue_group)) return absl::OkStatus();
  return absl::InvalidArgumentError("subscribe: the queue group must have printable characters");
}

}  // namespace trove
