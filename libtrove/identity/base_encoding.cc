#include "libtrove/identity/base_encoding.h"

#include <cstdint>

namespace trove::identity {
namespace {

constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string Encode(std::string_view bytes, std::string_view alphabet, int bits_per_letter) {
  std::string text;
  std::uint32_t pending = 0;
  int bits = 0;
  const std::uint32_t mask = (1U << bits_per_letter) - 1;
  for (const char byte : bytes) {
    pending = (pending << 8 | static_cast<unsigned char>(byte)) & 0xffff;
    bits += 8;
    while (bits >= bits_per_letter) {
      bits -= bits_per_letter;
      text += alphabet[pending >> bits & mask];
    }
  }
  if (bits > 0) text += alphabet[pending << (bits_per_letter - bits) & mask];
  return text;
}

std::optional<std::string> Decode(std::string_view text,
                                  std::string_view alphabet,
                                  int bits_per_letter) {
  std::string bytes;
  std::uint32_t pending = 0;
  int bits = 0;
  for (const char letter : text) {
    const std::size_t value = alphabet.find(letter);
    if (value == std::string_view::npos) return std::nullopt;
    pending = (pending << bits_per_letter | static_cast<std::uint32_t>(value)) & 0xffff;
    bits += bits_per_letter;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>(pending >> bits & 0xff);
    }
  }
  // One text for each value: no spare letter, and the unused bits of the last are zero.
  if (Encode(bytes, alphabet, bits_per_letter) != text) return std::nullopt;
  return bytes;
}

}  // namespace

std::string Base32(std::string_view bytes) {
  return Encode(bytes, kBase32, 5);
}

std::optional<std::string> FromBase32(std::string_view text) {
  return Decode(text, kBase32, 5);
}

std::string Base64Url(std::string_view bytes) {
  return Encode(bytes, kBase64Url, 6);
}

std::optional<std::string> FromBase64Url(std::string_view text) {
  return Decode(text, kBase64Url, 6);
}

}  // namespace trove::identity
