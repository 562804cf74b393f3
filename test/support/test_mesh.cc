#include "test/support/test_mesh.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include <absl/status/statusor.h>
#include <absl/time/clock.h>

#include "libtrove/base/files.h"
#include "libtrove/base/uuid.h"

namespace trove {
namespace {

template <typename T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "TestMesh: %s\n", result.status().ToString().c_str());
    std::abort();
  }
  return *std::move(result);
}

void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "TestMesh: %s\n", status.ToString().c_str());
  std::abort();
}

}  // namespace

TestMesh::TestMesh()
    : mesh_id_(RandomHex(4)),
      mesh_(Must(identity::CertificateAuthority::Create("test mesh", absl::Now()))),
      endpoint_(Must(identity::CertificateAuthority::Create("test endpoints", absl::Now()))) {}

std::shared_ptr<const rpc::TlsSource> TestMesh::Service(std::string_view name) {
  return Open("service-" + std::string(name),
              Must(identity::IssueServiceIdentity(mesh_, mesh_id_, name, absl::Now())));
}

std::shared_ptr<const rpc::TlsSource> TestMesh::Guest(const GuestId& guest) {
  return Open("guest-" + guest.value(),
              Must(identity::IssueGuestIdentity(mesh_, mesh_id_, guest, absl::Now())));
}

std::shared_ptr<const rpc::TlsSource> TestMesh::Endpoint() {
  return Open("endpoint",
              Must(identity::IssueIdentity(endpoint_,
                                           {.common_name = "test endpoint",
                                            .dns_names = {"localhost"},
                                            .ip_addresses = {"127.0.0.1", "::1"},
                                            .uris = {},
                                            .server_auth = true,
                                            .client_auth = false,
                                            .validity = absl::Hours(1)},
                                           absl::Now())));
}

identity::PeerIdentity TestMesh::ServiceIdentity(std::string_view name) const {
  return {identity::PeerKind::kService, mesh_id_, std::string(name)};
}

identity::PeerIdentity TestMesh::GuestIdentity(const GuestId& guest) const {
  return {identity::PeerKind::kGuest, mesh_id_, guest.value()};
}

rpc::TlsFiles TestMesh::Write(const std::string& name,
                              const identity::IssuedIdentity& identity) const {
  const std::filesystem::path folder = folder_.path() / name;
  Must(MakeDirectory(folder, 0700));
  rpc::TlsFiles files{.certificate = folder / "cert.pem",
                      .key = folder / "key.pem",
                      .authority = folder / "ca.pem"};
  Must(WriteFileAtomically(files.key, identity.key_pem.Reveal(), 0600));
  Must(WriteFileAtomically(files.certificate, identity.certificate_pem, 0600));
  Must(WriteFileAtomically(files.authority, identity.authority_pem, 0600));
  return files;
}

std::shared_ptr<const rpc::TlsSource> TestMesh::Open(const std::string& name,
                                                     const identity::IssuedIdentity& identity) {
  const std::string folder = name + "-" + std::to_string(++issued_);
  return Must(rpc::TlsSource::Open(Write(folder, identity)));
}

}  // namespace trove
