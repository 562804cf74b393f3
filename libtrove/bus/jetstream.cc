#include "libtrove/bus/jetstream.h"

#include <chrono>
#include <cstdint>

#include <boost/json.hpp>

#include "libtrove/bus/subject.h"

namespace trove {
namespace {

// nats-server, server/errors.json: JSStreamNameExistErr.
constexpr std::int64_t kStreamNameInUse = 10058;
constexpr std::int64_t kNotNow = 503;

std::int64_t Number(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = object.if_contains(key);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

}  // namespace

std::string EventStreamConfig(int replicas) {
  using std::chrono::nanoseconds;
  const std::int64_t week = nanoseconds(std::chrono::hours(7 * 24)).count();
  const std::int64_t two_minutes = nanoseconds(std::chrono::minutes(2)).count();
  const std::string_view name = kEventStream;
  return boost::json::serialize(boost::json::object{
      {"name", boost::json::string_view(name.data(), name.size())},
      {"subjects", boost::json::array{boost::json::string(AnyEventSubject().value())}},
      {"retention", "limits"},
      {"discard", "old"},
      {"storage", "file"},
      {"max_consumers", -1},
      {"max_msgs", -1},
      {"max_bytes", -1},
      {"max_age", week},
      {"duplicate_window", two_minutes},
      {"num_replicas", replicas},
  });
}

absl::Status ReadJetStreamAnswer(std::string_view json) {
  boost::json::error_code failed;
  const boost::json::value answer =
      boost::json::parse(boost::json::string_view(json.data(), json.size()), failed);
  const boost::json::object* object = failed ? nullptr : answer.if_object();
  if (object == nullptr) return absl::InternalError("the answer is not JetStream's");
  const boost::json::value* error = object->if_contains("error");
  if (error == nullptr) {
    const bool stored = object->contains("stream") || object->contains("config");
    return stored ? absl::OkStatus() : absl::InternalError("the answer is not JetStream's");
  }
  if (!error->is_object()) return absl::InternalError("the answer is not JetStream's");
  const boost::json::object& said = error->get_object();
  const boost::json::value* description = said.if_contains("description");
  const std::string text = description != nullptr && description->is_string()
                               ? std::string(description->get_string().c_str())
                               : std::string("no reason given");
  if (Number(said, "code") == kNotNow) return absl::UnavailableError(text);
  if (Number(said, "err_code") == kStreamNameInUse) return absl::AlreadyExistsError(text);
  return absl::InternalError(text);
}

}  // namespace trove
