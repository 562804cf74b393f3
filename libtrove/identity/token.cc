#include "libtrove/identity/token.h"

#include <openssl/crypto.h>

#include "libtrove/base/uuid.h"
#include "libtrove/identity/openssl_handles.h"

namespace trove::identity {
namespace {

constexpr std::size_t kRandomCharacters = 43;  // 5.95 bits each: 256 bits

}  // namespace

Secret NewTenantToken() {
  return Secret("trv_" + RandomAlphanumeric(kRandomCharacters));
}

Secret NewEnrolmentToken() {
  return Secret("tre_" + RandomAlphanumeric(kRandomCharacters));
}

std::string HashToken(const Secret& token) {
  return LowerHex(Sha256(token.Reveal()));
}

bool ConstantTimeEqual(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace trove::identity
