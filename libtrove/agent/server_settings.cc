#include "libtrove/agent/server_settings.h"

#include <charconv>

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

namespace trove::agent {
namespace {

// The first part of `rest` as a number, which is then without it.
int TakePart(std::string_view& rest) {
  int part = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), part);
  const std::size_t dot = rest.find('.');
  rest.remove_prefix(dot == std::string_view::npos ? rest.size() : dot + 1);
  return error == std::errc() ? part : 0;
}

}  // namespace

ServerSettings FromMessage(const mesh::v1::ServerSettings& message) {
  return {.memory_mib = message.memory_mib(),
          .vcpus = message.vcpus(),
          .address = message.address(),
          .port = message.port(),
          .engine = message.engine(),
          .version_number = message.version_number(),
          .volume_size_gib = message.volume_size_gib(),
          .parameters = {message.parameters().begin(), message.parameters().end()}};
}

mesh::v1::ServerSettings ToMessage(const ServerSettings& settings) {
  mesh::v1::ServerSettings message;
  message.set_memory_mib(settings.memory_mib);
  message.set_vcpus(settings.vcpus);
  message.set_address(settings.address);
  message.set_port(settings.port);
  message.set_engine(settings.engine);
  message.set_version_number(settings.version_number);
  message.set_volume_size_gib(settings.volume_size_gib);
  message.mutable_parameters()->insert(settings.parameters.begin(), settings.parameters.end());
  return message;
}

absl::StatusOr<std::string> ParameterText(std::string_view json) {
  std::string text(json);
  google::protobuf::Value value;
  if (google::protobuf::util::JsonStringToMessage(text, &value).ok()) {
    if (value.has_string_value()) return value.string_value();
    // As it is written: a double does not hold every integer.
    if (value.has_number_value() || value.has_bool_value()) return text;
  }
  return absl::InvalidArgumentError("not a text, a number, true or false: " + text);
}

std::strong_ordering CompareVersions(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    const std::strong_ordering order = TakePart(a) <=> TakePart(b);
    if (order != std::strong_ordering::equal) return order;
  }
  return std::strong_ordering::equal;
}

}  // namespace trove::agent
