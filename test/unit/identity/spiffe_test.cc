#include "libtrove/identity/spiffe.h"

#include <catch2/catch.hpp>

namespace trove::identity {
namespace {

constexpr char kMesh[] = "0a1b2c3d";
constexpr char kGuest[] = "0b0e7c1a-8f5e-4a55-9d36-0d2f8a1c9e77";

TEST_CASE("an identity is built and read back", "[unit][identity]") {
  const auto service = ServiceSpiffeId(kMesh, "api");
  REQUIRE(service.ok());
  CHECK(*service == "spiffe://trove/0a1b2c3d/service/api");
  const auto guest = GuestSpiffeId(kMesh, GuestId(kGuest));
  REQUIRE(guest.ok());
  CHECK(*guest == "spiffe://trove/0a1b2c3d/guest/0b0e7c1a-8f5e-4a55-9d36-0d2f8a1c9e77");

  CHECK(*ParseSpiffeId(*service) == PeerIdentity{PeerKind::kService, kMesh, "api"});
  CHECK(*ParseSpiffeId(*guest) == PeerIdentity{PeerKind::kGuest, kMesh, kGuest});
  CHECK(Describe(*ParseSpiffeId(*service)) == "service/api");
  CHECK(Describe(*ParseSpiffeId(*guest)) == std::string("guest/") + kGuest);
  CHECK(Describe(PeerIdentity()) == "nobody");
}

TEST_CASE("a guest named like a service is no service", "[unit][identity]") {
  const auto guest = ParseSpiffeId(std::string("spiffe://trove/0a1b2c3d/guest/") + kGuest);
  REQUIRE(guest.ok());
  CHECK(guest->IsGuest(GuestId(kGuest)));
  CHECK_FALSE(guest->IsService(kGuest));
  CHECK_FALSE(PeerIdentity().IsService(""));
  CHECK_FALSE(PeerIdentity().IsGuest(GuestId()));
}

TEST_CASE("whatever is not exactly an identity is refused", "[unit][identity]") {
  const std::string uri = GENERATE(values<std::string>({
      "",
      "spiffe://trove",
      "spiffe://trove/",
      "spiffe://trove/0a1b2c3d",
      "spiffe://trove/0a1b2c3d/",
      "spiffe://trove/0a1b2c3d/service",
      "spiffe://trove/0a1b2c3d/service/",
      "spiffe://trove/0a1b2c3d/service/api/",
      "spiffe://trove/0a1b2c3d/service/api/x",
      "spiffe://trove/0a1b2c3d/service/API",
      "spiffe://trove/0a1b2c3d/service/1api",
      "spiffe://trove/0a1b2c3d/service/api?x=1",
      "spiffe://trove/0a1b2c3d/service/api#x",
      "spiffe://trove/0a1b2c3d/service/%61pi",
      "spiffe://trove/0a1b2c3d/service/a.b",
      "spiffe://trove/0a1b2c3d/services/api",
      "spiffe://trove/0a1b2c3d//service/api",
      "spiffe://trove/0a1b2c3/service/api",
      "spiffe://trove/0a1b2c3d4/service/api",
      "spiffe://trove/0A1B2C3D/service/api",
      "spiffe://trove/0a1b2c3g/service/api",
      "spiffe://other/0a1b2c3d/service/api",
      "spiffe://trove@evil/0a1b2c3d/service/api",
      "spiffe://trove:1/0a1b2c3d/service/api",
      "SPIFFE://trove/0a1b2c3d/service/api",
      "https://trove/0a1b2c3d/service/api",
      " spiffe://trove/0a1b2c3d/service/api",
      "spiffe://trove/0a1b2c3d/service/api ",
      "spiffe://trove/0a1b2c3d/guest/api",
      "spiffe://trove/0a1b2c3d/guest/0B0E7C1A-8F5E-4A55-9D36-0D2F8A1C9E77",
      "spiffe://trove/0a1b2c3d/guest/0b0e7c1a-8f5e-4a55-9d36-0d2f8a1c9e77/x",
      "spiffe://trove/0a1b2c3d/service/0123456789012345678901234567890123",
  }));
  CAPTURE(uri);
  CHECK(absl::IsInvalidArgument(ParseSpiffeId(uri).status()));
}

TEST_CASE("an identity with a malformed part is not built", "[unit][identity]") {
  CHECK(absl::IsInvalidArgument(ServiceSpiffeId("mesh", "api").status()));
  CHECK(absl::IsInvalidArgument(ServiceSpiffeId(kMesh, "api/guest").status()));
  CHECK(absl::IsInvalidArgument(ServiceSpiffeId(kMesh, "").status()));
  CHECK(absl::IsInvalidArgument(GuestSpiffeId(kMesh, GuestId("*")).status()));
  CHECK(absl::IsInvalidArgument(GuestSpiffeId("", GuestId(kGuest)).status()));
}

TEST_CASE("a peer has exactly one identity, of this mesh", "[unit][identity]") {
  const std::string api = "spiffe://trove/0a1b2c3d/service/api";
  CHECK(IdentifyPeer({api}, kMesh)->IsService("api"));
  CHECK(absl::IsUnauthenticated(IdentifyPeer({}, kMesh).status()));
  CHECK(absl::IsUnauthenticated(IdentifyPeer({api, api}, kMesh).status()));
  CHECK(absl::IsUnauthenticated(IdentifyPeer({"https://example.org"}, kMesh).status()));
  CHECK(absl::IsUnauthenticated(IdentifyPeer({api}, "ffffffff").status()));
}

}  // namespace
}  // namespace trove::identity
