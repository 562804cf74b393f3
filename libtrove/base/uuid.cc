#include "libtrove/base/uuid.h"

#include <array>
#include <cctype>
#include <cstdint>
#include <utility>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "libtrove/base/check.h"

namespace trove {
namespace {

// A random (version 4) id made once for this project; every NamedUuid hangs below it.
constexpr std::array<unsigned char, 16> kNamespace = {
    0x9c, 0x1f, 0x0a, 0x52, 0x6e, 0x3b, 0x4d, 0x77, 0x8b, 0x21, 0x5d, 0x94, 0xe0, 0x4a, 0xc6, 0x13};

std::string Hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

std::string Format(std::string bytes, int version) {
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | (version << 4));
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  std::string text = Hex(std::string_view(bytes).substr(0, 16));
  for (const std::size_t dash : {8, 13, 18, 23})
    text.insert(dash, 1, '-');
  return text;
}

}  // namespace

std::string RandomBytes(std::size_t count) {
  std::string bytes(count, '\0');
  TROVE_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) ==
              1);
  return bytes;
}

std::string RandomHex(std::size_t count) {
  return Hex(RandomBytes(count));
}

std::string RandomAlphanumeric(std::size_t length) {
  static constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::string text;
  text.reserve(length);
  while (text.size() < length) {
    for (const char byte : RandomBytes(length)) {
      const auto value = static_cast<unsigned char>(byte);
      // Values from 248 on would favour the first letters.
      if (value < kLetters.size() * 4 && text.size() < length)
        text += kLetters[value % kLetters.size()];
    }
  }
  return text;
}

std::string NewUuid() {
  return Format(RandomBytes(16), 4);
}

std::string NewOrderedUuid(absl::Time now) {
  std::string bytes = RandomBytes(16);
  auto rest = static_cast<std::uint64_t>(absl::ToUnixMillis(now));
  for (int place = 5; place >= 0; --place, rest >>= 8)
    bytes[static_cast<std::size_t>(place)] = static_cast<char>(rest & 0xff);
  return Format(std::move(bytes), 7);
}

std::string NamedUuid(std::string_view name) {
  std::string input(kNamespace.begin(), kNamespace.end());
  input += name;
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  TROVE_CHECK(EVP_Digest(input.data(),
                         input.size(),
                         reinterpret_cast<unsigned char*>(digest.data()),
                         &size,
                         EVP_sha1(),
                         nullptr) == 1);
  return Format(digest.substr(0, 16), 5);
}

bool IsUuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0)
      return false;
  }
  return true;
}

}  // namespace trove
