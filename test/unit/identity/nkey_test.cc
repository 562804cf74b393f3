#include "libtrove/identity/nkey.h"

#include <catch2/catch.hpp>

namespace trove::identity {
namespace {

TEST_CASE("an NKey survives the way through its seed", "[unit][identity]") {
  const auto [kind, letter] = GENERATE(table<NKeyKind, char>({
      {NKeyKind::kOperator, 'O'},
      {NKeyKind::kAccount, 'A'},
      {NKeyKind::kUser, 'U'},
  }));
  const auto key = NKey::Generate(kind);
  REQUIRE(key.ok());
  CHECK(key->public_key().size() == 56);
  CHECK(key->public_key()[0] == letter);
  CHECK(key->seed().Reveal().size() == 58);
  CHECK(key->seed().Reveal().starts_with(std::string("S") + letter));
  CHECK(CheckNKeyPublicKey(kind, key->public_key()).ok());

  const auto again = NKey::FromSeed(key->seed());
  REQUIRE(again.ok());
  CHECK(again->kind() == kind);
  CHECK(again->public_key() == key->public_key());
  const auto signature = again->Sign("nonce");
  REQUIRE(signature.ok());
  CHECK(signature->size() == 64);
  CHECK(VerifyNKeySignature(key->public_key(), "nonce", *signature).ok());
  CHECK(absl::IsUnauthenticated(VerifyNKeySignature(key->public_key(), "once", *signature)));
}

TEST_CASE("a seed of NATS's own documentation is understood", "[unit][identity]") {
  // docs.nats.io, "NKeys".
  const auto key =
      NKey::FromSeed(Secret("SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"));
  REQUIRE(key.ok());
  CHECK(key->kind() == NKeyKind::kUser);
  CHECK(key->public_key() == "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4");
  CHECK(key->seed().Reveal() == "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY");
}

TEST_CASE("a mistyped seed or public key is refused", "[unit][identity]") {
  const auto key = NKey::Generate(NKeyKind::kUser);
  REQUIRE(key.ok());
  std::string seed = key->seed().Reveal();
  const std::size_t at = GENERATE(0, 1, 2, 20, 55, 57);
  seed[at] = seed[at] == 'Q' ? 'R' : 'Q';
  CAPTURE(at);
  CHECK(absl::IsInvalidArgument(NKey::FromSeed(Secret(seed)).status()));
  if (at < 56) {
    std::string text = key->public_key();
    text[at] = text[at] == 'Q' ? 'R' : 'Q';
    CHECK(absl::IsInvalidArgument(CheckNKeyPublicKey(NKeyKind::kUser, text)));
  }
}

TEST_CASE("what is no NKey of the right kind is refused", "[unit][identity]") {
  const auto user = NKey::Generate(NKeyKind::kUser);
  REQUIRE(user.ok());
  CHECK(absl::IsInvalidArgument(CheckNKeyPublicKey(NKeyKind::kAccount, user->public_key())));
  CHECK(absl::IsInvalidArgument(CheckNKeyPublicKey(NKeyKind::kUser, "")));
  CHECK(absl::IsInvalidArgument(CheckNKeyPublicKey(NKeyKind::kUser, user->seed().Reveal())));
  CHECK(absl::IsInvalidArgument(NKey::FromSeed(Secret(user->public_key())).status()));
  CHECK(absl::IsInvalidArgument(NKey::FromSeed(Secret("")).status()));
  CHECK(absl::IsInvalidArgument(NKey::FromSeed(Secret("not base 32!")).status()));
}

}  // namespace
}  // namespace trove::identity
