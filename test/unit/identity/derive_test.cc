#include "libtrove/identity/derive.h"

#include <catch2/catch.hpp>

namespace trove::identity {
namespace {

TEST_CASE("a derived secret is the HMAC of its purpose", "[unit][identity]") {
  // RFC 4231, test case 2.
  CHECK(DeriveSecret(Secret("Jefe"), "what do ya want for nothing?") ==
        Secret("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
}

TEST_CASE("another key or purpose gives another secret", "[unit][identity]") {
  const Secret one = DeriveSecret(Secret("key"), "purpose");
  CHECK(DeriveSecret(Secret("key"), "purpose") == one);
  CHECK_FALSE(DeriveSecret(Secret("key"), "other") == one);
  CHECK_FALSE(DeriveSecret(Secret("other"), "purpose") == one);
}

}  // namespace
}  // namespace trove::identity
