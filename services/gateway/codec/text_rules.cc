#include "services/gateway/codec/text_rules.h"

#include <algorithm>

#include "libtrove/base/uuid.h"
#include "libtrove/model/validation.h"

namespace trove::gateway {
namespace {

constexpr std::size_t kMaxNameCharacters = 255;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool IsLetterOrDigit(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::size_t CountCharacters(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

bool IsHost(std::string_view text) {
  if (text.empty()) return false;
  if (text.front() == '%') text.remove_prefix(1);
  if (!text.empty() && text.back() == '%') text.remove_suffix(1);
  return std::all_of(text.begin(), text.end(), [](char c) {
    return IsLetterOrDigit(c) || c == '_' || c == '.' || c == '(' || c == ')';
  });
}

std::optional<std::string> Unless(bool right, const char* otherwise) {
  return right ? std::nullopt : std::optional<std::string>(otherwise);
}

}  // namespace

std::optional<std::string> BreaksRule(rest::v1::Text rule, std::string_view text) {
  switch (rule) {
    case rest::v1::TEXT_NAME:
      if (text.empty()) return "is too short";
      if (CountCharacters(text) > kMaxNameCharacters) return "is too long (255 characters at most)";
      [[fallthrough]];
    case rest::v1::TEXT_WORD:
      return Unless(std::any_of(text.begin(), text.end(), IsLetterOrDigit),
                    "must contain a letter or a digit");
    case rest::v1::TEXT_UUID:
      return Unless(IsUuid(text), "is not a UUID");
    case rest::v1::TEXT_HOST:
      return Unless(IsHost(text),
                    "is not a host (letters, digits, '_', '.', with '%' first or last)");
    case rest::v1::TEXT_CIDR:
      return Unless(CheckCidr("", text).ok(), "is not an IPv4 network, as 10.0.0.0/8");
    case rest::v1::TEXT_IPV4:
      return Unless(CheckIpv4("", text).ok(), "is not an IPv4 address");
    default:
      return std::nullopt;
  }
}

std::string Quote(std::string_view text, std::size_t most) {
  const std::string whole = AsUtf8(text);
  if (whole.size() <= most) return "'" + whole + "'";
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(whole[end]) & 0xC0) == 0x80)
    --end;
  return "'" + whole.substr(0, end) + "…'";
}

std::string AsUtf8(std::string_view text) {
  std::string whole(text);
  if (IsUtf8(whole)) return whole;
  for (char& c : whole) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  return whole;
}

std::string_view IdOfHref(std::string_view href) {
  href = href.substr(0, href.find_first_of("?#"));
  const std::size_t slash = href.rfind('/');
  return slash == std::string_view::npos ? href : href.substr(slash + 1);
}

}  // namespace trove::gateway
