#include "services/gateway/url.h"

#include <cstddef>
#include <optional>

#include "libtrove/model/errors.h"

namespace trove::gateway {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

enum class Plus { kItself, kSpace };

std::optional<std::string> PercentDecode(std::string_view text, Plus plus) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus == Plus::kSpace) {
      decoded.push_back(' ');
    } else if (text[i] != '%') {
      decoded.push_back(text[i]);
    } else {
      const int high = i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexValue(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      decoded.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return decoded;
}

std::string_view Cut(std::string_view* text, char separator) {
  const std::size_t end = text->find(separator);
  const std::string_view front = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return front;
}

absl::Status BadTarget(const char* why) {
  return MakeError(Reason::kInvalidField, std::string("The URL ") + why);
}

}  // namespace

absl::StatusOr<Target> ParseTarget(std::string_view target) {
  target = target.substr(0, target.find('#'));
  if (const std::size_t scheme = target.find("://");
      scheme != std::string_view::npos && scheme < target.find('/')) {
    target.remove_prefix(scheme + 3);
    const std::size_t path = target.find_first_of("/?");
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
  }
  if (target.empty() || target.front() != '/') return BadTarget("must begin with a slash");

  Target parsed;
  std::string_view query = target;
  std::string_view path = Cut(&query, '?');
  parsed.path = std::string(path);
  path.remove_prefix(1);
  while (!path.empty()) {
    std::optional<std::string> segment = PercentDecode(Cut(&path, '/'), Plus::kItself);
    if (!segment.has_value()) return BadTarget("has a malformed percent escape in its path");
    parsed.segments.push_back(std::move(*segment));
  }
  while (!query.empty()) {
    std::string_view value = Cut(&query, '&');
    if (value.empty()) continue;
    std::optional<std::string> name = PercentDecode(Cut(&value, '='), Plus::kSpace);
    // Clients paste markers into queries without encoding them; a stray percent sign is itself.
    std::optional<std::string> decoded = PercentDecode(value, Plus::kSpace);
    parsed.query.emplace_back(name.value_or(""), decoded.value_or(std::string(value)));
  }
  return parsed;
}

std::string PercentEncode(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      encoded.push_back(c);
    } else {
      encoded.push_back('%');
      encoded.push_back(kHex[byte >> 4]);
      encoded.push_back(kHex[byte & 15]);
    }
  }
  return encoded;
}

}  // namespace trove::gateway
