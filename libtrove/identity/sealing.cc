#include "libtrove/identity/sealing.h"

#include <utility>

#include <openssl/kdf.h>

#include "libtrove/base/files.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/uuid.h"
#include "libtrove/identity/aead.h"
#include "libtrove/identity/openssl_handles.h"

namespace trove::identity {
namespace {

// A value sealed under a master key: 'M', version, key id, nonce, ciphertext and tag.
constexpr std::string_view kMasterMagic = "M\x01";
constexpr std::size_t kKeyIdBytes = 8;
constexpr std::size_t kMasterHeaderBytes = 2 + kKeyIdBytes + kAeadNonceBytes;

// A sealed box: 'B', version, the sender's fresh public key, ciphertext and tag.
constexpr std::string_view kBoxMagic = "B\x01";
constexpr std::size_t kPublicKeyBytes = 32;
constexpr std::size_t kBoxHeaderBytes = 2 + kPublicKeyBytes;

constexpr std::size_t kMostBytes = std::size_t{64} << 20;

absl::Status CheckSize(std::size_t size) {
  if (size <= kMostBytes) return absl::OkStatus();
  return absl::InvalidArgumentError("too large to seal: more than 64 MiB");
}

struct BoxKey {
  Secret key;
  std::string nonce;  // a key is used for one box, so that its nonce may be derived too
};

absl::StatusOr<BoxKey> DeriveBoxKey(const Secret& shared,
                                    std::string_view sender,
                                    std::string_view recipient) {
  static constexpr std::string_view kInfo = "trove sealed box v1";
  const std::string salt = std::string(sender) + std::string(recipient);
  const EvpKeyContext context(EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr));
  std::string output(kAeadKeyBytes + kAeadNonceBytes, '\0');
  std::size_t size = output.size();
  if (context == nullptr || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_hkdf_md(context.get(), EVP_sha256()) != 1 ||
      EVP_PKEY_CTX_set1_hkdf_salt(
          context.get(), Bytes(std::string_view(salt)), static_cast<int>(salt.size())) != 1 ||
      EVP_PKEY_CTX_set1_hkdf_key(context.get(),
                                 Bytes(std::string_view(shared.Reveal())),
                                 static_cast<int>(shared.Reveal().size())) != 1 ||
      EVP_PKEY_CTX_add1_hkdf_info(context.get(), Bytes(kInfo), static_cast<int>(kInfo.size())) !=
          1 ||
      EVP_PKEY_derive(context.get(), Bytes(output), &size) != 1) {
    return OpenSslError(absl::StatusCode::kInternal, "derive a key");
  }
  BoxKey key{Secret(output.substr(0, kAeadKeyBytes)), output.substr(kAeadKeyBytes)};
  const Secret wiped(std::move(output));
  return key;
}

// Header and associated data are authenticated together; the header's size is fixed.
std::string Bind(std::string_view header, std::string_view associated_data) {
  return std::string(header) + std::string(associated_data);
}

}  // namespace

MasterKey::MasterKey(Secret bytes)
    : bytes_(std::move(bytes)),
      raw_id_(Sha256("trove master key id" + bytes_.Reveal()).substr(0, kKeyIdBytes)) {}

MasterKey MasterKey::Generate() {
  return MasterKey(Secret(RandomBytes(kAeadKeyBytes)));
}

absl::StatusOr<MasterKey> MasterKey::FromBytes(const Secret& bytes) {
  if (bytes.Reveal().size() != kAeadKeyBytes) {
    return absl::InvalidArgumentError("a master key has 32 bytes, not " +
                                      std::to_string(bytes.Reveal().size()));
  }
  return MasterKey(bytes);
}

absl::StatusOr<MasterKey> MasterKey::FromFile(const std::filesystem::path& path) {
  TROVE_ASSIGN_OR_RETURN(std::string bytes, ReadFile(path));
  return FromBytes(Secret(std::move(bytes)));
}

std::string MasterKey::id() const {
  return LowerHex(raw_id_);
}

absl::StatusOr<std::string> MasterKey::Seal(const Secret& plaintext,
                                            std::string_view associated_data) const {
  TROVE_RETURN_IF_ERROR(CheckSize(plaintext.Reveal().size()));
  const std::string nonce = RandomBytes(kAeadNonceBytes);
  const std::string header = std::string(kMasterMagic) + raw_id_ + nonce;
  TROVE_ASSIGN_OR_RETURN(
      const std::string body,
      AeadSeal(bytes_, nonce, Bind(header, associated_data), plaintext.Reveal()));
  return header + body;
}

absl::StatusOr<Secret> MasterKey::Unseal(std::string_view sealed,
                                         std::string_view associated_data) const {
  if (!sealed.starts_with(kMasterMagic) || sealed.size() < kMasterHeaderBytes + kAeadTagBytes) {
    return absl::InvalidArgumentError("unseal: not a value sealed under a master key");
  }
  TROVE_RETURN_IF_ERROR(CheckSize(sealed.size() - kMasterHeaderBytes - kAeadTagBytes));
  const std::string_view header = sealed.substr(0, kMasterHeaderBytes);
  const std::string_view key_id = header.substr(kMasterMagic.size(), kKeyIdBytes);
  if (key_id != raw_id_) {
    return absl::FailedPreconditionError("unseal: sealed under master key " + LowerHex(key_id) +
                                         ", and this is " + id());
  }
  return AeadOpen(bytes_,
                  header.substr(kMasterMagic.size() + kKeyIdBytes),
                  Bind(header, associated_data),
                  sealed.substr(kMasterHeaderBytes));
}

absl::StatusOr<std::string> SealTo(const PublicKey& recipient,
                                   const Secret& plaintext,
                                   std::string_view associated_data) {
  TROVE_RETURN_IF_ERROR(CheckSize(plaintext.Reveal().size()));
  TROVE_ASSIGN_OR_RETURN(const PrivateKey sender, PrivateKey::Generate(KeyKind::kX25519));
  TROVE_ASSIGN_OR_RETURN(const Secret shared, sender.Agree(recipient));
  const std::string sender_key = sender.public_key().Raw();
  TROVE_ASSIGN_OR_RETURN(const BoxKey key, DeriveBoxKey(shared, sender_key, recipient.Raw()));
  const std::string header = std::string(kBoxMagic) + sender_key;
  TROVE_ASSIGN_OR_RETURN(
      const std::string body,
      AeadSeal(key.key, key.nonce, Bind(header, associated_data), plaintext.Reveal()));
  return header + body;
}

absl::StatusOr<Secret> OpenSealed(const PrivateKey& recipient,
                                  std::string_view box,
                                  std::string_view associated_data) {
  if (!box.starts_with(kBoxMagic) || box.size() < kBoxHeaderBytes + kAeadTagBytes) {
    return absl::InvalidArgumentError("unseal: not a sealed box");
  }
  TROVE_RETURN_IF_ERROR(CheckSize(box.size() - kBoxHeaderBytes - kAeadTagBytes));
  const std::string_view header = box.substr(0, kBoxHeaderBytes);
  const std::string_view sender_key = header.substr(kBoxMagic.size());
  TROVE_ASSIGN_OR_RETURN(const PublicKey sender, PublicKey::FromRaw(KeyKind::kX25519, sender_key));
  TROVE_ASSIGN_OR_RETURN(const Secret shared, recipient.Agree(sender));
  TROVE_ASSIGN_OR_RETURN(const BoxKey key,
                         DeriveBoxKey(shared, sender_key, recipient.public_key().Raw()));
  return AeadOpen(key.key, key.nonce, Bind(header, associated_data), box.substr(kBoxHeaderBytes));
}

}  // namespace trove::identity
