#include "services/gateway/sent_event.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace trove::gateway {
namespace {

void AppendField(std::string* text, std::string_view name, std::string_view value) {
  text->append(name).append(": ");
  // A stray line break would end the field, and what follows would be a field of its own.
  std::copy_if(value.begin(), value.end(), std::back_inserter(*text), [](char c) {
    return c != '\n' && c != '\r' && c != '\0';
  });
  text->push_back('\n');
}

}  // namespace

std::string RetryField(int milliseconds) {
  return "retry: " + std::to_string(milliseconds) + "\n\n";
}

std::string EventText(std::string_view id, std::string_view type, std::string_view data) {
  std::string text;
  text.reserve(id.size() + type.size() + data.size() + 32);
  if (!id.empty()) AppendField(&text, "id", id);
  AppendField(&text, "event", type);
  while (true) {
    const std::size_t end = data.find('\n');
    AppendField(&text, "data", data.substr(0, end));
    if (end == std::string_view::npos) break;
    data.remove_prefix(end + 1);
  }
  text.push_back('\n');
  return text;
}

}  // namespace trove::gateway
