#include "libtrove/identity/certificate_authority.h"

#include <algorithm>
#include <utility>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "libtrove/base/status_macros.h"
#include "libtrove/identity/certificate.h"
#include "libtrove/identity/csr.h"
#include "libtrove/identity/openssl_handles.h"

namespace trove::identity {
namespace {

constexpr absl::Duration kAuthorityValidity = absl::Hours(24 * 3652);
constexpr absl::Duration kBackDate = absl::Minutes(5);
constexpr int kSerialBits = 127;

using BigNumber = Handle<BIGNUM, BN_free>;
using Extension = Handle<X509_EXTENSION, X509_EXTENSION_free>;
using GeneralName = Handle<GENERAL_NAME, GENERAL_NAME_free>;
using GeneralNames = Handle<GENERAL_NAMES, GENERAL_NAMES_free>;

absl::Status Failed(std::string_view what) {
  return OpenSslError(absl::StatusCode::kInternal, what);
}

// Host names as RFC 1123 has them, with a leading "*." allowed.
bool IsDnsName(std::string_view name) {
  if (name.starts_with("*.")) name.remove_prefix(2);
  if (name.empty() || name.size() > 253 || name.front() == '.' || name.back() == '.' ||
      name.find("..") != std::string_view::npos) {
    return false;
  }
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  });
}

bool IsUri(std::string_view uri) {
  return !uri.empty() &&
         std::all_of(uri.begin(), uri.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

absl::Status AddText(GENERAL_NAMES* names, int type, const std::string& text) {
  GeneralName name(GENERAL_NAME_new());
  ASN1_IA5STRING* value = ASN1_IA5STRING_new();
  if (name == nullptr || value == nullptr ||
      ASN1_STRING_set(value, text.data(), static_cast<int>(text.size())) != 1) {
    ASN1_IA5STRING_free(value);
    return Failed("add a name");
  }
  GENERAL_NAME_set0_value(name.get(), type, value);
  if (sk_GENERAL_NAME_push(names, name.get()) <= 0) return Failed("add a name");
  static_cast<void>(name.release());  // now the list's
  return absl::OkStatus();
}

absl::Status AddAddress(GENERAL_NAMES* names, const std::string& text) {
  GeneralName name(GENERAL_NAME_new());
  ASN1_OCTET_STRING* value = a2i_IPADDRESS(text.c_str());
  if (name == nullptr || value == nullptr) {
    ASN1_OCTET_STRING_free(value);
    return OpenSslError(absl::StatusCode::kInvalidArgument, "\"" + text + "\" is not an address");
  }
  GENERAL_NAME_set0_value(name.get(), GEN_IPADD, value);
  if (sk_GENERAL_NAME_push(names, name.get()) <= 0) return Failed("add an address");
  static_cast<void>(name.release());  // now the list's
  return absl::OkStatus();
}

absl::StatusOr<GeneralNames> NamesOf(const CertificateProfile& profile) {
  GeneralNames names(GENERAL_NAMES_new());
  for (const std::string& name : profile.dns_names) {
    if (!IsDnsName(name)) return absl::InvalidArgumentError("\"" + name + "\" is not a host name");
    TROVE_RETURN_IF_ERROR(AddText(names.get(), GEN_DNS, name));
  }
  for (const std::string& address : profile.ip_addresses)
    TROVE_RETURN_IF_ERROR(AddAddress(names.get(), address));
  for (const std::string& uri : profile.uris) {
    if (!IsUri(uri)) return absl::InvalidArgumentError("\"" + uri + "\" is not a URI");
    TROVE_RETURN_IF_ERROR(AddText(names.get(), GEN_URI, uri));
  }
  return names;
}

// `value` is OpenSSL's configuration syntax and always text of ours, never of a caller.
absl::Status AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  if (extension == nullptr || X509_add_ext(certificate, extension.get(), -1) != 1) {
    return Failed("add an extension to a certificate");
  }
  return absl::OkStatus();
}

// Version, serial number, subject, key and the time it is good for.
absl::StatusOr<Certificate> Begin(const std::string& common_name,
                                  EVP_PKEY* key,
                                  absl::Time not_before,
                                  absl::Time not_after) {
  if (common_name.empty() || common_name.size() > 64) {
    return absl::InvalidArgumentError("a common name has 1 to 64 bytes");
  }
  Certificate certificate(X509_new());
  const BigNumber serial(BN_new());
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  if (X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
      BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) != 1 ||
      BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate.get())) == nullptr ||
      X509_NAME_add_entry_by_NID(subject,
                                 NID_commonName,
                                 MBSTRING_UTF8,
                                 Bytes(common_name),
                                 static_cast<int>(common_name.size()),
                                 -1,
                                 0) != 1 ||
      ASN1_TIME_set(X509_getm_notBefore(certificate.get()), absl::ToTimeT(not_before)) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(certificate.get()), absl::ToTimeT(not_after)) == nullptr ||
      X509_set_pubkey(certificate.get(), key) != 1) {
    return Failed("begin a certificate");
  }
  return certificate;
}

absl::StatusOr<std::string> SignAndWrite(X509* certificate, EVP_PKEY* key) {
  if (X509_sign(certificate, key, EVP_sha256()) <= 0) return Failed("sign a certificate");
  const Bio bio = WritingBio();
  if (PEM_write_bio_X509(bio.get(), certificate) != 1) return Failed("write a certificate");
  return TextOf(bio.get());
}

const char* ExtendedUseOf(const CertificateProfile& profile) {
  if (profile.server_auth && profile.client_auth) return "serverAuth,clientAuth";
  return profile.server_auth ? "serverAuth" : "clientAuth";
}

absl::Status CheckProfile(const CertificateProfile& profile) {
  if (!profile.server_auth && !profile.client_auth) {
    return absl::InvalidArgumentError("a certificate needs a use");
  }
  if (profile.validity <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("a certificate needs a positive validity");
  }
  return absl::OkStatus();
}

}  // namespace

CertificateAuthority::CertificateAuthority(std::string certificate_pem, PrivateKey key)
    : certificate_pem_(std::move(certificate_pem)), key_(std::move(key)) {}

absl::StatusOr<CertificateAuthority> CertificateAuthority::Create(const std::string& common_name,
                                                                  absl::Time now) {
  TROVE_ASSIGN_OR_RETURN(PrivateKey key, PrivateKey::Generate(KeyKind::kP256));
  EVP_PKEY* raw_key = key.rep().key.get();
  TROVE_ASSIGN_OR_RETURN(const Certificate certificate,
                         Begin(common_name, raw_key, now - kBackDate, now + kAuthorityValidity));
  X509* self = certificate.get();
  if (X509_set_issuer_name(self, X509_get_subject_name(self)) != 1) {
    return Failed("name a certificate's issuer");
  }
  TROVE_RETURN_IF_ERROR(
      AddExtension(self, self, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
  TROVE_RETURN_IF_ERROR(AddExtension(self, self, NID_key_usage, "critical,keyCertSign,cRLSign"));
  TROVE_RETURN_IF_ERROR(AddExtension(self, self, NID_subject_key_identifier, "hash"));
  TROVE_ASSIGN_OR_RETURN(std::string pem, SignAndWrite(self, raw_key));
  return CertificateAuthority(std::move(pem), std::move(key));
}

absl::StatusOr<CertificateAuthority> CertificateAuthority::Load(const std::string& certificate_pem,
                                                                const Secret& private_key_pem) {
  TROVE_ASSIGN_OR_RETURN(const Certificate certificate, ParseCertificate(certificate_pem));
  TROVE_ASSIGN_OR_RETURN(PrivateKey key, PrivateKey::FromPem(private_key_pem));
  if (X509_check_ca(certificate.get()) != 1) {
    return absl::InvalidArgumentError("the certificate is not an authority's");
  }
  if (key.kind() != KeyKind::kP256 ||
      X509_check_private_key(certificate.get(), key.rep().key.get()) != 1) {
    ERR_clear_error();
    return absl::FailedPreconditionError("the authority's key is not that of its certificate");
  }
  return CertificateAuthority(certificate_pem, std::move(key));
}

absl::StatusOr<std::string> CertificateAuthority::Issue(std::string_view csr_pem,
                                                        const CertificateProfile& profile,
                                                        absl::Time now) const {
  TROVE_ASSIGN_OR_RETURN(const PublicKey key, CheckCsr(csr_pem));
  return IssueForKey(key, profile, now);
}

absl::StatusOr<std::string> CertificateAuthority::IssueForKey(const PublicKey& key,
                                                              const CertificateProfile& profile,
                                                              absl::Time now) const {
  TROVE_RETURN_IF_ERROR(CheckProfile(profile));
  TROVE_ASSIGN_OR_RETURN(const GeneralNames names, NamesOf(profile));
  TROVE_ASSIGN_OR_RETURN(const Certificate issuer, ParseCertificate(certificate_pem_));
  TROVE_ASSIGN_OR_RETURN(const CertificateFacts facts, ReadCertificate(certificate_pem_));
  TROVE_ASSIGN_OR_RETURN(const Certificate certificate,
                         Begin(profile.common_name,
                               key.rep().key.get(),
                               now - kBackDate,
                               std::min(now + profile.validity, facts.not_after)));
  X509* leaf = certificate.get();
  if (X509_set_issuer_name(leaf, X509_get_subject_name(issuer.get())) != 1) {
    return Failed("name a certificate's issuer");
  }
  TROVE_RETURN_IF_ERROR(
      AddExtension(leaf, issuer.get(), NID_basic_constraints, "critical,CA:FALSE"));
  TROVE_RETURN_IF_ERROR(
      AddExtension(leaf, issuer.get(), NID_key_usage, "critical,digitalSignature"));
  TROVE_RETURN_IF_ERROR(
      AddExtension(leaf, issuer.get(), NID_ext_key_usage, ExtendedUseOf(profile)));
  TROVE_RETURN_IF_ERROR(AddExtension(leaf, issuer.get(), NID_subject_key_identifier, "hash"));
  TROVE_RETURN_IF_ERROR(
      AddExtension(leaf, issuer.get(), NID_authority_key_identifier, "keyid:always"));
  if (sk_GENERAL_NAME_num(names.get()) > 0 &&
      X509_add1_ext_i2d(leaf, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) != 1) {
    return Failed("add names to a certificate");
  }
  return SignAndWrite(leaf, key_.rep().key.get());
}

}  // namespace trove::identity
