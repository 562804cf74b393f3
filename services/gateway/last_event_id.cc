#include "services/gateway/last_event_id.h"

#include <charconv>
#include <string>

#include "libtrove/model/errors.h"
#include "services/gateway/codec/text_rules.h"

namespace trove::gateway {

absl::StatusOr<std::optional<std::int64_t>> LastEventId(const Asked& asked) {
  const std::string& text = asked.last_event_id;
  if (text.empty()) return std::optional<std::int64_t>();
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id < 0) {
    return MakeError(Reason::kInvalidField,
                     "The header Last-Event-ID must be the id of an event, not " + Quote(text));
  }
  return std::optional<std::int64_t>(id);
}

}  // namespace trove::gateway
