#include "services/gateway/codec/text_rules.h"

#include <algorithm>
#include <cstddef>

#include "libtrove/base/uuid.h"

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

// Reads a decimal number up to `most` from the front of `text`; at most three digits.
bool TakeNumber(std::string_view* text, int most) {
  std::size_t digits = 0;
  int value = 0;
  while (digits < text->size() && digits < 3 && IsDigit((*text)[digits])) {
    value = value * 10 + ((*text)[digits] - '0');
    ++digits;
  }
  text->remove_prefix(digits);
  return digits > 0 && value <= most;
}

bool TakeIpv4(std::string_view* text) {
  for (int part = 0; part < 4; ++part) {
    if (part > 0) {
      if (text->empty() || text->front() != '.') return false;
      text->remove_prefix(1);
    }
    if (!TakeNumber(text, 255)) return false;
  }
  return true;
}

bool IsIpv4(std::string_view text) {
  return TakeIpv4(&text) && text.empty();
}

bool IsCidr(std::string_view text) {
  if (!TakeIpv4(&text)) return false;
  if (text.empty()) return true;
  if (text.front() != '/') return false;
  text.remove_prefix(1);
  return TakeNumber(&text, 32) && text.empty();
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

bool IsUtf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    if (lead < 0xC2 || lead > 0xF4 || text.size() - i <= static_cast<std::size_t>(more)) {
      return false;
    }
    // Only the second byte of a sequence has bounds of its own.
    const auto second = static_cast<unsigned char>(text[i + 1]);
    const unsigned char least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned char most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (second < least || second > most) return false;
    for (int k = 2; k <= more; ++k) {
      if ((static_cast<unsigned char>(text[i + static_cast<std::size_t>(k)]) & 0xC0) != 0x80) {
        return false;
      }
    }
    i += static_cast<std::size_t>(more) + 1;
  }
  return true;
}

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
      return Unless(IsCidr(text), "is not an IPv4 network, as 10.0.0.0/8");
    case rest::v1::TEXT_IPV4:
      return Unless(IsIpv4(text), "is not an IPv4 address");
    default:
      return std::nullopt;
  }
}

std::string_view IdOfHref(std::string_view href) {
  href = href.substr(0, href.find_first_of("?#"));
  const std::size_t slash = href.rfind('/');
  return slash == std::string_view::npos ? href : href.substr(slash + 1);
}

}  // namespace trove::gateway
