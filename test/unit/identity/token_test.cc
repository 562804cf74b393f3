#include "libtrove/identity/token.h"

#include <algorithm>

#include <catch2/catch.hpp>

namespace trove::identity {
namespace {

TEST_CASE("tokens are long, random and of their kind", "[unit][identity]") {
  const Secret tenant = NewTenantToken();
  const Secret enrolment = NewEnrolmentToken();
  CHECK(tenant.Reveal().size() == 47);
  CHECK(tenant.Reveal().starts_with("trv_"));
  CHECK(enrolment.Reveal().size() == 47);
  CHECK(enrolment.Reveal().starts_with("tre_"));
  CHECK(std::all_of(tenant.Reveal().begin() + 4, tenant.Reveal().end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  }));
  CHECK_FALSE(NewTenantToken() == tenant);
}

TEST_CASE("a token's hash is SHA-256 in hex", "[unit][identity]") {
  CHECK(HashToken(Secret("abc")) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("constant-time comparison compares", "[unit][identity]") {
  CHECK(ConstantTimeEqual("", ""));
  CHECK(ConstantTimeEqual("abc", "abc"));
  CHECK_FALSE(ConstantTimeEqual("abc", "abd"));
  CHECK_FALSE(ConstantTimeEqual("abc", "ab"));
}

}  // namespace
}  // namespace trove::identity
