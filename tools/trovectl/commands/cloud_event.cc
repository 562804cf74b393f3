#include "tools/trovectl/commands/cloud_event.h"

#include <cstdint>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "tools/trovectl/commands/words.h"

namespace trove::trovectl {
namespace {

namespace json = boost::json;

constexpr std::size_t kTypeWidth = 26;

void Pad(std::string& text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
}

}  // namespace

std::string CloudEventJson(const v1::Event& event) {
  json::object object;
  object["specversion"] = "1.0";
  object["id"] = event.id();
  object["source"] = event.source();
  object["type"] = event.type();
  object["subject"] = event.subject();
  object["time"] =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", TimeOf(event.time()), absl::UTCTimeZone());
  object["datacontenttype"] = "application/json";
  object["projectid"] = event.project_id();
  object["resourceversion"] = std::to_string(event.resource_version());
  object["position"] = std::to_string(event.position());
  json::error_code error;
  json::value data = json::parse(event.data(), error);
  if (!error) object["data"] = std::move(data);
  return json::serialize(object);
}

std::string EventLine(const v1::Event& event) {
  std::string text = std::to_string(event.position());
  Pad(text, 8);
  text += TimeText(event.time()) + "  ";
  std::string type = event.type();
  Pad(type, kTypeWidth);
  text += type + "  " + event.subject();
  if (!event.data().empty() && event.data() != "{}") text += "  " + event.data();
  return text;
}

}  // namespace trove::trovectl
