#include "libtrove/identity/certificate.h"

#include <arpa/inet.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <time.h>

#include "libtrove/base/status_macros.h"
#include "libtrove/identity/openssl_handles.h"

namespace trove::identity {
namespace {

using GeneralNames = Handle<GENERAL_NAMES, GENERAL_NAMES_free>;
using CertificateStore = Handle<X509_STORE, X509_STORE_free>;
using CertificateStoreContext = Handle<X509_STORE_CTX, X509_STORE_CTX_free>;
using BigNumber = Handle<BIGNUM, BN_free>;

void FreeText(char* text) {
  OPENSSL_free(text);
}
using OpenSslText = Handle<char, FreeText>;

std::string TextOf(const ASN1_STRING* string) {
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
                     static_cast<std::size_t>(ASN1_STRING_length(string)));
}

absl::StatusOr<absl::Time> TimeOf(const ASN1_TIME* time) {
  tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "read a certificate's time");
  }
  return absl::FromTimeT(timegm(&parts));
}

std::string AddressText(const ASN1_OCTET_STRING* address) {
  char text[INET6_ADDRSTRLEN] = {};
  const int length = ASN1_STRING_length(address);
  if (length != 4 && length != 16) return "";
  inet_ntop(length == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text, sizeof(text));
  return text;
}

void ReadNames(const X509* certificate, CertificateFacts& facts) {
  const GeneralNames names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (names == nullptr) return;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    switch (name->type) {
      case GEN_DNS:
        facts.dns_names.push_back(TextOf(name->d.dNSName));
        break;
      case GEN_URI:
        facts.uris.push_back(TextOf(name->d.uniformResourceIdentifier));
        break;
      case GEN_IPADD:
        facts.ip_addresses.push_back(AddressText(name->d.iPAddress));
        break;
      default:
        break;
    }
  }
}

absl::StatusOr<CertificateStore> StoreOf(std::string_view roots_pem) {
  CertificateStore store(X509_STORE_new());
  const Bio bio = ReadingBio(roots_pem);
  int count = 0;
  while (true) {
    const Certificate root(PEM_read_bio_X509(bio.get(), nullptr, RefusePassword, nullptr));
    if (root == nullptr) break;
    if (X509_STORE_add_cert(store.get(), root.get()) != 1) {
      return OpenSslError(absl::StatusCode::kInvalidArgument, "trust an authority");
    }
    ++count;
  }
  ERR_clear_error();  // the end of the text counts as an error
  if (count == 0) return absl::InvalidArgumentError("no authority's certificate to trust");
  return store;
}

}  // namespace

absl::StatusOr<CertificateFacts> ReadCertificate(std::string_view pem) {
  TROVE_ASSIGN_OR_RETURN(const Certificate certificate, ParseCertificate(pem));
  CertificateFacts facts;
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  const int position = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (position >= 0) {
    facts.common_name = TextOf(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, position)));
  }
  TROVE_ASSIGN_OR_RETURN(facts.not_before, TimeOf(X509_get0_notBefore(certificate.get())));
  TROVE_ASSIGN_OR_RETURN(facts.not_after, TimeOf(X509_get0_notAfter(certificate.get())));
  facts.is_authority = X509_check_ca(certificate.get()) == 1;
  ReadNames(certificate.get(), facts);
  const BigNumber serial(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate.get()), nullptr));
  if (serial != nullptr) facts.serial = OpenSslText(BN_bn2hex(serial.get())).get();
  return facts;
}

absl::StatusOr<PublicKey> KeyOfCertificate(std::string_view pem) {
  TROVE_ASSIGN_OR_RETURN(const Certificate certificate, ParseCertificate(pem));
  const Bio bio = WritingBio();
  EVP_PKEY* key = X509_get0_pubkey(certificate.get());
  if (key == nullptr || PEM_write_bio_PUBKEY(bio.get(), key) != 1) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "read a certificate's key");
  }
  return PublicKey::FromPem(identity::TextOf(bio.get()));
}

absl::Status VerifyCertificate(std::string_view pem,
                               std::string_view roots_pem,
                               const VerifyOptions& options) {
  TROVE_ASSIGN_OR_RETURN(const Certificate certificate, ParseCertificate(pem));
  TROVE_ASSIGN_OR_RETURN(const CertificateStore store, StoreOf(roots_pem));
  const CertificateStoreContext context(X509_STORE_CTX_new());
  if (X509_STORE_CTX_init(context.get(), store.get(), certificate.get(), nullptr) != 1) {
    return OpenSslError(absl::StatusCode::kInternal, "start to verify a certificate");
  }
  X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(param, absl::ToTimeT(options.at));
  X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
  if (options.use != CertificateUse::kAny) {
    X509_VERIFY_PARAM_set_purpose(
        param,
        options.use == CertificateUse::kServer ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT);
  }
  if (!options.dns_name.empty() &&
      X509_VERIFY_PARAM_set1_host(param, options.dns_name.data(), options.dns_name.size()) != 1) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "verify a name");
  }
  if (X509_verify_cert(context.get()) == 1) return absl::OkStatus();
  const std::string reason = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
  ERR_clear_error();
  return absl::UnauthenticatedError("the certificate is refused: " + reason);
}

}  // namespace trove::identity
