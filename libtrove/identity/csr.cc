#include "libtrove/identity/csr.h"

#include <openssl/pem.h>

#include "libtrove/base/status_macros.h"
#include "libtrove/identity/openssl_handles.h"

namespace trove::identity {

absl::StatusOr<std::string> MakeCsr(const PrivateKey& key, const std::string& common_name) {
  if (key.kind() == KeyKind::kX25519) {
    return absl::FailedPreconditionError("an X25519 key cannot sign a request");
  }
  const CertificateRequest request(X509_REQ_new());
  X509_NAME* subject = X509_REQ_get_subject_name(request.get());
  const EVP_MD* digest = key.kind() == KeyKind::kP256 ? EVP_sha256() : nullptr;
  if (X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
      X509_NAME_add_entry_by_NID(subject,
                                 NID_commonName,
                                 MBSTRING_UTF8,
                                 Bytes(common_name),
                                 static_cast<int>(common_name.size()),
                                 -1,
                                 0) != 1 ||
      X509_REQ_set_pubkey(request.get(), key.rep().key.get()) != 1 ||
      X509_REQ_sign(request.get(), key.rep().key.get(), digest) <= 0) {
    return OpenSslError(absl::StatusCode::kInternal, "make a signing request");
  }
  const Bio bio = WritingBio();
  if (PEM_write_bio_X509_REQ(bio.get(), request.get()) != 1) {
    return OpenSslError(absl::StatusCode::kInternal, "write a signing request");
  }
  return TextOf(bio.get());
}

absl::StatusOr<PublicKey> CheckCsr(std::string_view csr_pem) {
  const Bio bio = ReadingBio(csr_pem);
  const CertificateRequest request(
      PEM_read_bio_X509_REQ(bio.get(), nullptr, RefusePassword, nullptr));
  if (request == nullptr) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "read a signing request");
  }
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "read a signing request's key");
  }
  // Through PEM, so that the one check of what kinds of key there are is the one in keys.cc.
  const Bio key_bio = WritingBio();
  if (PEM_write_bio_PUBKEY(key_bio.get(), key) != 1) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "read a signing request's key");
  }
  TROVE_ASSIGN_OR_RETURN(PublicKey public_key, PublicKey::FromPem(TextOf(key_bio.get())));
  if (public_key.kind() == KeyKind::kX25519) {
    return absl::InvalidArgumentError("a certificate's key must be able to sign");
  }
  if (X509_REQ_verify(request.get(), key) != 1) {
    return OpenSslError(absl::StatusCode::kUnauthenticated,
                        "the signing request is not signed by its own key");
  }
  return public_key;
}

}  // namespace trove::identity
