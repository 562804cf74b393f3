#pragma once

// Private to libtrove/identity: the only header of it that names OpenSSL.

#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "libtrove/base/handle.h"
#include "libtrove/identity/keys.h"

namespace trove::identity {

using Bio = Handle<BIO, BIO_free_all>;
using EvpKey = Handle<EVP_PKEY, EVP_PKEY_free>;
using EvpKeyContext = Handle<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using EvpDigestContext = Handle<EVP_MD_CTX, EVP_MD_CTX_free>;
using EvpCipherContext = Handle<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;
using Certificate = Handle<X509, X509_free>;
using CertificateRequest = Handle<X509_REQ, X509_REQ_free>;

struct PublicKey::Rep {
  EvpKey key;
};

struct PrivateKey::Rep {
  EvpKey key;
};

/// What OpenSSL last complained of on this thread, as an error of `code`: "what: reason". Empties
/// its queue.
absl::Status OpenSslError(absl::StatusCode code, std::string_view what);

/// Never asks a terminal for a password: an encrypted PEM is an error.
int RefusePassword(char* buffer, int size, int writing, void* user);

/// A BIO that reads `text`, which must outlive it.
Bio ReadingBio(std::string_view text);
Bio WritingBio();
std::string TextOf(BIO* bio);

absl::StatusOr<Certificate> ParseCertificate(std::string_view pem);

/// The raw 32 bytes of SHA-256.
std::string Sha256(std::string_view bytes);
std::string LowerHex(std::string_view bytes);

inline const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
inline unsigned char* Bytes(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

}  // namespace trove::identity
