#include "libtrove/identity/nkey.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/identity/base_encoding.h"

namespace trove::identity {
namespace {

constexpr unsigned kSeedPrefix = 18U << 3;  // "S" in base32
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kCrcBytes = 2;

unsigned PrefixOf(NKeyKind kind) {
  switch (kind) {
    case NKeyKind::kOperator:
      return 14U << 3;  // "O"
    case NKeyKind::kAccount:
      return 0U << 3;  // "A"
    case NKeyKind::kUser:
      return 20U << 3;  // "U"
  }
  return 0;
}

std::optional<NKeyKind> KindOf(unsigned prefix) {
  for (const NKeyKind kind : {NKeyKind::kOperator, NKeyKind::kAccount, NKeyKind::kUser}) {
    if (PrefixOf(kind) == prefix) return kind;
  }
  return std::nullopt;
}

// CRC-16/XMODEM, little-endian: what NATS appends against typing errors.
std::string Crc16(std::string_view bytes) {
  std::uint16_t crc = 0;
  for (const char byte : bytes) {
    crc = static_cast<std::uint16_t>(crc ^ static_cast<unsigned char>(byte) << 8);
    for (int bit = 0; bit < 8; ++bit)
      crc = static_cast<std::uint16_t>((crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1);
  }
  return {static_cast<char>(crc & 0xff), static_cast<char>(crc >> 8)};
}

std::string WithCrc(const std::string& bytes) {
  return Base32(bytes + Crc16(bytes));
}

// What stands before the checksum.
std::optional<std::string> WithoutCrc(std::string_view text, std::size_t size) {
  const std::optional<std::string> bytes = FromBase32(text);
  if (!bytes || bytes->size() != size + kCrcBytes) return std::nullopt;
  if (Crc16(std::string_view(*bytes).substr(0, size)) != bytes->substr(size)) return std::nullopt;
  return bytes->substr(0, size);
}

struct ParsedPublicKey {
  NKeyKind kind;
  std::string raw;
};

absl::StatusOr<ParsedPublicKey> ParsePublicKey(std::string_view text) {
  const std::optional<std::string> bytes = WithoutCrc(text, 1 + kKeyBytes);
  const std::optional<NKeyKind> kind =
      bytes ? KindOf(static_cast<unsigned char>((*bytes)[0])) : std::nullopt;
  if (!kind) {
    return absl::InvalidArgumentError("\"" + std::string(text.substr(0, 64)) +
                                      "\" is not a public NKey");
  }
  return ParsedPublicKey{*kind, bytes->substr(1)};
}

}  // namespace

NKey::NKey(NKeyKind kind, PrivateKey key, Secret raw_seed)
    : kind_(kind),
      key_(std::move(key)),
      raw_seed_(std::move(raw_seed)),
      public_key_(WithCrc(static_cast<char>(PrefixOf(kind)) + key_.public_key().Raw())) {}

absl::StatusOr<NKey> NKey::Generate(NKeyKind kind) {
  Secret raw_seed(RandomBytes(kKeyBytes));
  TROVE_ASSIGN_OR_RETURN(PrivateKey key, PrivateKey::FromRaw(KeyKind::kEd25519, raw_seed));
  return NKey(kind, std::move(key), std::move(raw_seed));
}

absl::StatusOr<NKey> NKey::FromSeed(const Secret& seed) {
  std::optional<std::string> bytes = WithoutCrc(seed.Reveal(), 2 + kKeyBytes);
  if (!bytes) return absl::InvalidArgumentError("the text is not an NKey seed");
  // Five bits say "seed", the next eight what kind of key, the last three nothing.
  const unsigned first = static_cast<unsigned char>((*bytes)[0]);
  const unsigned second = static_cast<unsigned char>((*bytes)[1]);
  const std::optional<NKeyKind> kind = KindOf((first & 7) << 5 | (second & 248) >> 3);
  if ((first & 248) != kSeedPrefix || (second & 7) != 0 || !kind) {
    return absl::InvalidArgumentError(
        "the text is not the NKey seed of an operator, account or user");
  }
  Secret raw_seed(bytes->substr(2));
  const Secret wiped(std::move(*bytes));
  TROVE_ASSIGN_OR_RETURN(PrivateKey key, PrivateKey::FromRaw(KeyKind::kEd25519, raw_seed));
  return NKey(*kind, std::move(key), std::move(raw_seed));
}

Secret NKey::seed() const {
  const unsigned prefix = PrefixOf(kind_);
  std::string bytes;
  bytes += static_cast<char>(kSeedPrefix | prefix >> 5);
  bytes += static_cast<char>((prefix & 31) << 3);
  bytes += raw_seed_.Reveal();
  return Secret(WithCrc(bytes));
}

absl::StatusOr<std::string> NKey::Sign(std::string_view message) const {
  return key_.Sign(message);
}

absl::Status CheckNKeyPublicKey(NKeyKind kind, std::string_view text) {
  TROVE_ASSIGN_OR_RETURN(const ParsedPublicKey parsed, ParsePublicKey(text));
  if (parsed.kind != kind) {
    return absl::InvalidArgumentError("\"" + std::string(text) +
                                      "\" is a public NKey of another kind");
  }
  return absl::OkStatus();
}

absl::Status VerifyNKeySignature(std::string_view public_key,
                                 std::string_view message,
                                 std::string_view signature) {
  TROVE_ASSIGN_OR_RETURN(const ParsedPublicKey parsed, ParsePublicKey(public_key));
  TROVE_ASSIGN_OR_RETURN(const PublicKey key, PublicKey::FromRaw(KeyKind::kEd25519, parsed.raw));
  return key.Verify(message, signature);
}

}  // namespace trove::identity
