#include "libtrove/identity/derive.h"

#include <string>
#include <utility>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "libtrove/base/check.h"

namespace trove::identity {

Secret DeriveSecret(const Secret& key, std::string_view purpose) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  TROVE_CHECK(HMAC(EVP_sha256(),
                   key.Reveal().data(),
                   static_cast<int>(key.Reveal().size()),
                   reinterpret_cast<const unsigned char*>(purpose.data()),
                   purpose.size(),
                   digest,
                   &size) != nullptr);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += kHex[digest[i] >> 4];
    text += kHex[digest[i] & 15];
  }
  return Secret(std::move(text));
}

}  // namespace trove::identity
