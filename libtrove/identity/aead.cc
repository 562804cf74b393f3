#include "libtrove/identity/aead.h"

#include <utility>

#include "libtrove/base/check.h"
#include "libtrove/identity/openssl_handles.h"

namespace trove::identity {
namespace {

void CheckSizes(const Secret& key, std::string_view nonce) {
  TROVE_CHECK(key.Reveal().size() == kAeadKeyBytes);
  TROVE_CHECK(nonce.size() == kAeadNonceBytes);
}

absl::Status Refused() {
  return OpenSslError(absl::StatusCode::kUnauthenticated,
                      "unseal: wrong key, wrong place, or the bytes were changed");
}

}  // namespace

absl::StatusOr<std::string> AeadSeal(const Secret& key,
                                     std::string_view nonce,
                                     std::string_view associated_data,
                                     std::string_view plaintext) {
  CheckSizes(key, nonce);
  const EvpCipherContext context(EVP_CIPHER_CTX_new());
  std::string sealed(plaintext.size() + kAeadTagBytes, '\0');
  int size = 0;
  int rest = 0;
  if (EVP_EncryptInit_ex(context.get(),
                         EVP_aes_256_gcm(),
                         nullptr,
                         Bytes(std::string_view(key.Reveal())),
                         Bytes(nonce)) != 1 ||
      EVP_EncryptUpdate(context.get(),
                        nullptr,
                        &size,
                        Bytes(associated_data),
                        static_cast<int>(associated_data.size())) != 1 ||
      EVP_EncryptUpdate(context.get(),
                        Bytes(sealed),
                        &size,
                        Bytes(plaintext),
                        static_cast<int>(plaintext.size())) != 1 ||
      EVP_EncryptFinal_ex(context.get(), Bytes(sealed) + size, &rest) != 1 ||
      EVP_CIPHER_CTX_ctrl(
          context.get(), EVP_CTRL_AEAD_GET_TAG, kAeadTagBytes, Bytes(sealed) + plaintext.size()) !=
          1) {
    return OpenSslError(absl::StatusCode::kInternal, "seal");
  }
  return sealed;
}

absl::StatusOr<Secret> AeadOpen(const Secret& key,
                                std::string_view nonce,
                                std::string_view associated_data,
                                std::string_view sealed) {
  CheckSizes(key, nonce);
  if (sealed.size() < kAeadTagBytes) return Refused();
  const std::string_view ciphertext = sealed.substr(0, sealed.size() - kAeadTagBytes);
  std::string tag(sealed.substr(ciphertext.size()));
  const EvpCipherContext context(EVP_CIPHER_CTX_new());
  std::string plaintext(ciphertext.size(), '\0');
  int size = 0;
  int rest = 0;
  const bool opened =
      EVP_DecryptInit_ex(context.get(),
                         EVP_aes_256_gcm(),
                         nullptr,
                         Bytes(std::string_view(key.Reveal())),
                         Bytes(nonce)) == 1 &&
      EVP_DecryptUpdate(context.get(),
                        nullptr,
                        &size,
                        Bytes(associated_data),
                        static_cast<int>(associated_data.size())) == 1 &&
      EVP_DecryptUpdate(context.get(),
                        Bytes(plaintext),
                        &size,
                        Bytes(ciphertext),
                        static_cast<int>(ciphertext.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTagBytes, Bytes(tag)) == 1 &&
      EVP_DecryptFinal_ex(context.get(), Bytes(plaintext) + size, &rest) == 1;
  Secret secret(std::move(plaintext));  // also wipes what must not be seen
  if (!opened) return Refused();
  return secret;
}

}  // namespace trove::identity
