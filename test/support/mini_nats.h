#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "libtrove/base/id.h"
#include "libtrove/identity/certificate_authority.h"
#include "libtrove/identity/nats_authority.h"

namespace trove {

/// A real nats-server of a test's own: operator mode over TLS with JetStream on a free loopback
/// port, in a fresh folder below /tmp. The destructor ends the server and removes the folder. Used
/// by one thread at a time.
class MiniNats {
 public:
  struct Options {
    std::string mesh_id = "0a1b2c3d";
    std::optional<identity::CertificateAuthority> mesh_authority;  ///< else one of its own
  };

  /// Returns once the server takes connections. Errors: kNotFound: nats-server is not installed;
  /// kDeadlineExceeded with the server's log: it did not come up.
  static absl::StatusOr<std::unique_ptr<MiniNats>> Start(const Options& options);
  static absl::StatusOr<std::unique_ptr<MiniNats>> Start() { return Start(Options()); }

  ~MiniNats();
  MiniNats(const MiniNats&) = delete;
  MiniNats& operator=(const MiniNats&) = delete;

  /// tls://127.0.0.1:<port>; stays the same across Restart.
  std::string url() const;

  /// The name that the server's certificate is to be checked for.
  std::string tls_name() const;

  /// PEM of the authority that the server's certificate was issued by.
  const std::string& authority_pem() const { return mesh_authority_.certificate_pem(); }

  const std::string& mesh_id() const { return mesh_id_; }
  const identity::CertificateAuthority& mesh_authority() const { return mesh_authority_; }
  const identity::NatsAuthority& authority() const { return authority_; }
  const identity::NatsUserIssuer& issuer() const { return issuer_; }

  /// A new NKey and JWT. Errors: as NatsUserIssuer.
  absl::StatusOr<identity::NatsCredentials> GuestCredentials(const GuestId& guest) const;
  absl::StatusOr<identity::NatsCredentials> ServiceCredentials(std::string_view service) const;

  /// Holds accounts/, jetstream/, nats.conf, nats.log and the TLS files.
  const std::filesystem::path& folder() const { return folder_; }

  /// Kill: SIGKILL, as a crash does. Stop: SIGTERM. Both return when the process is gone, and are
  /// no-ops without one.
  void Kill();
  void Stop();

  /// SIGSTOP: the server keeps its connections and says nothing, as across a broken network, until
  /// Thaw. No-ops without a process.
  void Freeze();
  void Thaw();

  /// Starts the server again, on the same port with what it had stored; stops it first when it
  /// runs. Errors: as Start.
  absl::Status Restart();

 private:
  MiniNats(std::filesystem::path folder,
           std::string mesh_id,
           identity::CertificateAuthority mesh_authority,
           identity::NatsAuthority authority,
           identity::NatsUserIssuer issuer);

  absl::Status WriteFiles();
  absl::Status Run();
  void End(int signal);

  std::filesystem::path folder_;
  std::string mesh_id_;
  identity::CertificateAuthority mesh_authority_;
  identity::NatsAuthority authority_;
  identity::NatsUserIssuer issuer_;
  const absl::Time made_at_;  // of the account's first JWT
  int port_ = -1;             // -1: whichever is free
  pid_t pid_ = -1;
};

}  // namespace trove
