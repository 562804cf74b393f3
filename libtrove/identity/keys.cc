#include "libtrove/identity/keys.h"

#include <optional>
#include <utility>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include "libtrove/base/check.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/identity/openssl_handles.h"

namespace trove::identity {
namespace {

constexpr std::size_t kRawBytes = 32;

const char* NameOf(KeyKind kind) {
  switch (kind) {
    case KeyKind::kP256:
      return "P-256";
    case KeyKind::kEd25519:
      return "ED25519";
    case KeyKind::kX25519:
      return "X25519";
  }
  return "?";
}

std::optional<KeyKind> KindOf(const EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "ED25519") == 1) return KeyKind::kEd25519;
  if (EVP_PKEY_is_a(key, "X25519") == 1) return KeyKind::kX25519;
  char group[32] = {};
  if (EVP_PKEY_is_a(key, "EC") == 1 &&
      EVP_PKEY_get_group_name(key, group, sizeof(group), nullptr) == 1 &&
      std::string_view(group) == "prime256v1") {
    return KeyKind::kP256;
  }
  return std::nullopt;
}

absl::Status WrongKind() {
  return absl::InvalidArgumentError("read a key: it is neither P-256, Ed25519 nor X25519");
}

absl::Status CheckRaw(KeyKind kind, std::size_t size) {
  if (kind == KeyKind::kP256) {
    return absl::InvalidArgumentError("a P-256 key has no raw form here");
  }
  if (size != kRawBytes) return absl::InvalidArgumentError("a raw key has 32 bytes");
  return absl::OkStatus();
}

const EVP_MD* DigestOf(KeyKind kind) {
  return kind == KeyKind::kP256 ? EVP_sha256() : nullptr;  // Ed25519 hashes by itself
}

absl::Status CannotSign() {
  return absl::FailedPreconditionError("an X25519 key cannot sign");
}

}  // namespace

PublicKey::PublicKey(KeyKind kind, std::shared_ptr<const Rep> rep)
    : kind_(kind), rep_(std::move(rep)) {}

absl::StatusOr<PublicKey> PublicKey::FromPem(std::string_view pem) {
  const Bio bio = ReadingBio(pem);
  EvpKey key(PEM_read_bio_PUBKEY(bio.get(), nullptr, RefusePassword, nullptr));
  if (key == nullptr) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "read a public key");
  }
  const std::optional<KeyKind> kind = KindOf(key.get());
  if (!kind) return WrongKind();
  return PublicKey(*kind, std::make_shared<Rep>(Rep{std::move(key)}));
}

absl::StatusOr<PublicKey> PublicKey::FromRaw(KeyKind kind, std::string_view bytes) {
  TROVE_RETURN_IF_ERROR(CheckRaw(kind, bytes.size()));
  EvpKey key(
      EVP_PKEY_new_raw_public_key_ex(nullptr, NameOf(kind), nullptr, Bytes(bytes), bytes.size()));
  if (key == nullptr) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "read a raw public key");
  }
  return PublicKey(kind, std::make_shared<Rep>(Rep{std::move(key)}));
}

std::string PublicKey::Pem() const {
  const Bio bio = WritingBio();
  TROVE_CHECK(PEM_write_bio_PUBKEY(bio.get(), rep_->key.get()) == 1);
  return TextOf(bio.get());
}

std::string PublicKey::Raw() const {
  std::size_t size = 0;
  if (kind_ == KeyKind::kP256) {
    TROVE_CHECK(EVP_PKEY_get_octet_string_param(
                    rep_->key.get(), OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0, &size) == 1);
    std::string raw(size, '\0');
    TROVE_CHECK(EVP_PKEY_get_octet_string_param(
                    rep_->key.get(), OSSL_PKEY_PARAM_PUB_KEY, Bytes(raw), raw.size(), &size) == 1);
    return raw;
  }
  size = kRawBytes;
  std::string raw(size, '\0');
  TROVE_CHECK(EVP_PKEY_get_raw_public_key(rep_->key.get(), Bytes(raw), &size) == 1);
  return raw;
}

std::string PublicKey::Fingerprint() const {
  return LowerHex(Sha256(Raw()).substr(0, 8));
}

absl::Status PublicKey::Verify(std::string_view message, std::string_view signature) const {
  if (kind_ == KeyKind::kX25519) return CannotSign();
  const EvpDigestContext context(EVP_MD_CTX_new());
  if (EVP_DigestVerifyInit(context.get(), nullptr, DigestOf(kind_), nullptr, rep_->key.get()) !=
      1) {
    return OpenSslError(absl::StatusCode::kInternal, "start to verify a signature");
  }
  if (EVP_DigestVerify(
          context.get(), Bytes(signature), signature.size(), Bytes(message), message.size()) != 1) {
    return OpenSslError(absl::StatusCode::kUnauthenticated, "the signature does not match");
  }
  return absl::OkStatus();
}

PrivateKey::PrivateKey(KeyKind kind, std::shared_ptr<const Rep> rep)
    : kind_(kind), rep_(std::move(rep)) {}

absl::StatusOr<PrivateKey> PrivateKey::Generate(KeyKind kind) {
  EvpKey key(kind == KeyKind::kP256 ? EVP_EC_gen("P-256")
                                    : EVP_PKEY_Q_keygen(nullptr, nullptr, NameOf(kind)));
  if (key == nullptr) return OpenSslError(absl::StatusCode::kInternal, "make a key");
  return PrivateKey(kind, std::make_shared<Rep>(Rep{std::move(key)}));
}

absl::StatusOr<PrivateKey> PrivateKey::FromPem(const Secret& pem) {
  const Bio bio = ReadingBio(pem.Reveal());
  EvpKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, RefusePassword, nullptr));
  if (key == nullptr) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "read a private key");
  }
  const std::optional<KeyKind> kind = KindOf(key.get());
  if (!kind) return WrongKind();
  return PrivateKey(*kind, std::make_shared<Rep>(Rep{std::move(key)}));
}

absl::StatusOr<PrivateKey> PrivateKey::FromRaw(KeyKind kind, const Secret& seed) {
  TROVE_RETURN_IF_ERROR(CheckRaw(kind, seed.Reveal().size()));
  EvpKey key(EVP_PKEY_new_raw_private_key_ex(
      nullptr, NameOf(kind), nullptr, Bytes(seed.Reveal()), seed.Reveal().size()));
  if (key == nullptr) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "read a raw private key");
  }
  return PrivateKey(kind, std::make_shared<Rep>(Rep{std::move(key)}));
}

Secret PrivateKey::Pem() const {
  const Bio bio = WritingBio();
  TROVE_CHECK(PEM_write_bio_PKCS8PrivateKey(
                  bio.get(), rep_->key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return Secret(TextOf(bio.get()));
}

PublicKey PrivateKey::public_key() const {
  // The same object under another name: OpenSSL keeps both halves together.
  EVP_PKEY_up_ref(rep_->key.get());
  return PublicKey(kind_,
                   std::make_shared<PublicKey::Rep>(PublicKey::Rep{EvpKey(rep_->key.get())}));
}

absl::StatusOr<std::string> PrivateKey::Sign(std::string_view message) const {
  if (kind_ == KeyKind::kX25519) return CannotSign();
  const EvpDigestContext context(EVP_MD_CTX_new());
  std::size_t size = 0;
  if (EVP_DigestSignInit(context.get(), nullptr, DigestOf(kind_), nullptr, rep_->key.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, Bytes(message), message.size()) != 1) {
    return OpenSslError(absl::StatusCode::kInternal, "sign");
  }
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), Bytes(signature), &size, Bytes(message), message.size()) != 1) {
    return OpenSslError(absl::StatusCode::kInternal, "sign");
  }
  signature.resize(size);
  return signature;
}

absl::StatusOr<Secret> PrivateKey::Agree(const PublicKey& peer) const {
  if (kind_ != KeyKind::kX25519 || peer.kind() != KeyKind::kX25519) {
    return absl::FailedPreconditionError("only X25519 keys agree on a secret");
  }
  const EvpKeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, rep_->key.get(), nullptr));
  std::string secret(kRawBytes, '\0');
  std::size_t size = secret.size();
  if (context == nullptr || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), peer.rep().key.get()) != 1 ||
      EVP_PKEY_derive(context.get(), Bytes(secret), &size) != 1) {
    return OpenSslError(absl::StatusCode::kInvalidArgument, "agree on a secret");
  }
  return Secret(std::move(secret));
}

}  // namespace trove::identity
