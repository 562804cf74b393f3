#include "libtrove/identity/keys.h"

#include <catch2/catch.hpp>

namespace trove::identity {
namespace {

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return bytes;
}

TEST_CASE("a key survives the way through PEM", "[unit][identity]") {
  const KeyKind kind = GENERATE(KeyKind::kP256, KeyKind::kEd25519, KeyKind::kX25519);
  const auto key = PrivateKey::Generate(kind);
  REQUIRE(key.ok());
  CHECK(key->kind() == kind);
  const auto again = PrivateKey::FromPem(key->Pem());
  REQUIRE(again.ok());
  CHECK(again->kind() == kind);
  CHECK(again->public_key().Raw() == key->public_key().Raw());
  const auto public_again = PublicKey::FromPem(key->public_key().Pem());
  REQUIRE(public_again.ok());
  CHECK(public_again->kind() == kind);
  CHECK(public_again->Raw() == key->public_key().Raw());
  CHECK(public_again->Fingerprint().size() == 16);
}

TEST_CASE("a signature counts for its own message and key alone", "[unit][identity]") {
  const KeyKind kind = GENERATE(KeyKind::kP256, KeyKind::kEd25519);
  const auto key = PrivateKey::Generate(kind);
  const auto other = PrivateKey::Generate(kind);
  REQUIRE(key.ok());
  REQUIRE(other.ok());
  const auto signature = key->Sign("message");
  REQUIRE(signature.ok());
  CHECK(key->public_key().Verify("message", *signature).ok());
  CHECK(absl::IsUnauthenticated(key->public_key().Verify("massage", *signature)));
  CHECK(absl::IsUnauthenticated(other->public_key().Verify("message", *signature)));
  CHECK(absl::IsUnauthenticated(key->public_key().Verify("message", "")));
}

TEST_CASE("Ed25519 follows the test vector of RFC 8032", "[unit][identity]") {
  const auto key = PrivateKey::FromRaw(
      KeyKind::kEd25519,
      Secret(FromHex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")));
  REQUIRE(key.ok());
  CHECK(key->public_key().Raw() ==
        FromHex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"));
  const auto signature = key->Sign("\x72");
  REQUIRE(signature.ok());
  CHECK(*signature == FromHex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                              "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"));
}

TEST_CASE("X25519 follows the test vector of RFC 7748", "[unit][identity]") {
  const auto key = PrivateKey::FromRaw(
      KeyKind::kX25519,
      Secret(FromHex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")));
  const auto peer = PublicKey::FromRaw(
      KeyKind::kX25519,
      FromHex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"));
  REQUIRE(key.ok());
  REQUIRE(peer.ok());
  const auto secret = key->Agree(*peer);
  REQUIRE(secret.ok());
  CHECK(secret->Reveal() ==
        FromHex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"));
}

TEST_CASE("an X25519 key agrees and does not sign", "[unit][identity]") {
  const auto a = PrivateKey::Generate(KeyKind::kX25519);
  const auto b = PrivateKey::Generate(KeyKind::kX25519);
  const auto signing = PrivateKey::Generate(KeyKind::kEd25519);
  REQUIRE(a.ok());
  REQUIRE(b.ok());
  REQUIRE(signing.ok());
  const auto ab = a->Agree(b->public_key());
  const auto ba = b->Agree(a->public_key());
  REQUIRE(ab.ok());
  REQUIRE(ba.ok());
  CHECK(*ab == *ba);
  CHECK(absl::IsFailedPrecondition(a->Sign("x").status()));
  CHECK(absl::IsFailedPrecondition(a->public_key().Verify("x", "y")));
  CHECK(absl::IsFailedPrecondition(a->Agree(signing->public_key()).status()));

  const auto zero = PublicKey::FromRaw(KeyKind::kX25519, std::string(32, '\0'));
  REQUIRE(zero.ok());
  CHECK(absl::IsInvalidArgument(a->Agree(*zero).status()));
}

TEST_CASE("what is no key of ours is refused", "[unit][identity]") {
  CHECK(absl::IsInvalidArgument(PrivateKey::FromPem(Secret("")).status()));
  CHECK(absl::IsInvalidArgument(PublicKey::FromPem("-----BEGIN PUBLIC KEY-----\n").status()));
  CHECK(absl::IsInvalidArgument(PublicKey::FromRaw(KeyKind::kEd25519, "short").status()));
  CHECK(absl::IsInvalidArgument(PublicKey::FromRaw(KeyKind::kP256, std::string(32, 'x')).status()));
  // An RSA key, well formed.
  const auto rsa = PublicKey::FromPem(
      "-----BEGIN PUBLIC KEY-----\n"
      "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCqMwWOtmZMnEd8caL3CkrXaoHo\n"
      "boQEJDk62OkJK2bNusF4NtWwxCG93mcSASJ+STd5n912fRhi828BY8/GTNgxEyd/\n"
      "o6YibuUI3/zVhIuLDiPL1ElrU76xRqT0NUc58Mq6xuCkvQzHbN7HyUOAfE92VzbI\n"
      "KkgL3GSJCbqU6tOAAQIDAQAB\n"
      "-----END PUBLIC KEY-----\n");
  CHECK(absl::IsInvalidArgument(rsa.status()));
}

}  // namespace
}  // namespace trove::identity
