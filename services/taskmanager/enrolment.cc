#include "services/taskmanager/enrolment.h"

#include <string>
#include <string_view>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "libtrove/base/check.h"

namespace trove::taskmanager {

Secret EnrolmentTokenOf(const identity::MasterKey& key,
                        const OperationId& operation,
                        const GuestId& guest) {
  const std::string message = "trove enrolment token\n" + operation.value() + "\n" + guest.value();
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  const std::string& secret = key.bytes().Reveal();
  TROVE_CHECK(HMAC(EVP_sha256(),
                   secret.data(),
                   static_cast<int>(secret.size()),
                   reinterpret_cast<const unsigned char*>(message.data()),
                   message.size(),
                   digest,
                   &size) != nullptr);
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string token = "tre_";
  for (unsigned int i = 0; i < size; ++i) {
    token += kHex[digest[i] >> 4];
    token += kHex[digest[i] & 15];
  }
  return Secret(std::move(token));
}

}  // namespace trove::taskmanager
