#include "libtrove/identity/sealing.h"

#include <catch2/catch.hpp>
#include <stdlib.h>

#include "libtrove/base/files.h"

namespace trove::identity {
namespace {

const Secret kPassword("correct horse battery staple");
constexpr char kPlace[] = "operation 7 input";

TEST_CASE("a value sealed under the master key comes back", "[unit][identity]") {
  const MasterKey key = MasterKey::Generate();
  const Secret plaintext = GENERATE(Secret(""), kPassword, Secret(std::string(100'000, '\0')));
  const auto sealed = key.Seal(plaintext, kPlace);
  REQUIRE(sealed.ok());
  const auto again = key.Unseal(*sealed, kPlace);
  REQUIRE(again.ok());
  CHECK((*again == plaintext));
}

TEST_CASE("a sealed value shows nothing and never looks the same twice", "[unit][identity]") {
  const MasterKey key = MasterKey::Generate();
  const auto first = key.Seal(kPassword, kPlace);
  const auto second = key.Seal(kPassword, kPlace);
  REQUIRE(first.ok());
  REQUIRE(second.ok());
  CHECK(*first != *second);
  CHECK(first->find("horse") == std::string::npos);
}

TEST_CASE("a sealed value that was moved or changed stays shut", "[unit][identity]") {
  const MasterKey key = MasterKey::Generate();
  const auto sealed = key.Seal(kPassword, kPlace);
  REQUIRE(sealed.ok());
  CHECK(absl::IsUnauthenticated(key.Unseal(*sealed, "operation 8 input").status()));
  for (std::size_t i = 0; i < sealed->size(); ++i) {
    CAPTURE(i);
    std::string changed = *sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CHECK_FALSE(key.Unseal(changed, kPlace).ok());
    CHECK_FALSE(key.Unseal(sealed->substr(0, i), kPlace).ok());
  }
  CHECK(absl::IsInvalidArgument(key.Unseal("", kPlace).status()));
}

TEST_CASE("another master key is told apart from a changed value", "[unit][identity]") {
  const MasterKey key = MasterKey::Generate();
  const MasterKey other = MasterKey::Generate();
  CHECK(key.id().size() == 16);
  CHECK(key.id() != other.id());
  const auto sealed = key.Seal(kPassword, kPlace);
  REQUIRE(sealed.ok());
  CHECK(absl::IsFailedPrecondition(other.Unseal(*sealed, kPlace).status()));
}

TEST_CASE("a master key is loaded from its file", "[unit][identity]") {
  std::string folder = "/tmp/trove-sealing-XXXXXX";
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  const MasterKey key = MasterKey::Generate();
  const std::string path = folder + "/master.key";
  REQUIRE(WriteFileAtomically(path, key.bytes().Reveal(), 0600).ok());
  const auto again = MasterKey::FromFile(path);
  REQUIRE(again.ok());
  CHECK(again->id() == key.id());
  REQUIRE(WriteFileAtomically(path, "short", 0600).ok());
  CHECK(absl::IsInvalidArgument(MasterKey::FromFile(path).status()));
  CHECK(absl::IsNotFound(MasterKey::FromFile(folder + "/none").status()));
  CHECK(RemoveTree(folder).ok());
}

TEST_CASE("a sealed box opens for its recipient alone", "[unit][identity]") {
  const auto guest = PrivateKey::Generate(KeyKind::kX25519);
  const auto other = PrivateKey::Generate(KeyKind::kX25519);
  REQUIRE(guest.ok());
  REQUIRE(other.ok());
  const auto box = SealTo(guest->public_key(), kPassword, kPlace);
  REQUIRE(box.ok());
  const auto opened = OpenSealed(*guest, *box, kPlace);
  REQUIRE(opened.ok());
  CHECK((*opened == kPassword));
  CHECK(absl::IsUnauthenticated(OpenSealed(*other, *box, kPlace).status()));
  CHECK(absl::IsUnauthenticated(OpenSealed(*guest, *box, "elsewhere").status()));
  for (std::size_t i = 0; i < box->size(); ++i) {
    CAPTURE(i);
    std::string changed = *box;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CHECK_FALSE(OpenSealed(*guest, changed, kPlace).ok());
    CHECK_FALSE(OpenSealed(*guest, box->substr(0, i), kPlace).ok());
  }
}

TEST_CASE("a box is sealed to X25519 keys alone", "[unit][identity]") {
  const auto signing = PrivateKey::Generate(KeyKind::kEd25519);
  REQUIRE(signing.ok());
  CHECK(absl::IsFailedPrecondition(SealTo(signing->public_key(), kPassword, "").status()));
}

}  // namespace
}  // namespace trove::identity
