#include "libtrove/identity/openssl_handles.h"

#include <absl/status/statusor.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "libtrove/base/check.h"

namespace trove::identity {

absl::Status OpenSslError(absl::StatusCode code, std::string_view what) {
  std::string message(what);
  if (const unsigned long error = ERR_peek_last_error(); error != 0) {
    char text[256];
    ERR_error_string_n(error, text, sizeof(text));
    message += ": ";
    message += text;
  }
  ERR_clear_error();
  return absl::Status(code, message);
}

int RefusePassword(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*user*/) {
  return -1;
}

Bio ReadingBio(std::string_view text) {
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  TROVE_CHECK(bio != nullptr);
  return bio;
}

Bio WritingBio() {
  Bio bio(BIO_new(BIO_s_secmem()));
  TROVE_CHECK(bio != nullptr);
  return bio;
}

std::string TextOf(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return std::string(bytes, static_cast<std::size_t>(size));
}

absl::StatusOr<Certificate> ParseCertificate(std::string_view pem) {
  const Bio bio = ReadingBio(pem);
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, RefusePassword, nullptr));
  if (certificate == nullptr) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "read a certificate");
  }
  return certificate;
}

std::string Sha256(std::string_view bytes) {
  std::string digest(32, '\0');
  TROVE_CHECK(
      EVP_Digest(bytes.data(), bytes.size(), Bytes(digest), nullptr, EVP_sha256(), nullptr) == 1);
  return digest;
}

std::string LowerHex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

}  // namespace trove::identity
