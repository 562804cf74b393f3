#include "tools/trovectl/launch/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <set>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/unique_fd.h"
#include "test/support/temporary_directory.h"

namespace trove::trovectl {
namespace {

// A port of loopback that is somebody's.
class TakenPort {
 public:
  TakenPort() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd_.get(), raw, size) == 0 && ::listen(fd_.get(), 1) == 0 &&
        ::getsockname(fd_.get(), raw, &size) == 0)
      port_ = ntohs(address.sin_port);
  }
  int port() const { return port_; }

 private:
  UniqueFd fd_;
  int port_ = 0;
};

constexpr AskedPorts kAny = {.rest = 0, .grpc = 0};

TEST_CASE("a taken public port is named with the flag that chooses another", "[unit][trovectl]") {
  const TakenPort taken;
  REQUIRE(taken.port() != 0);
  const absl::Status rest =
      ChoosePorts({.rest = taken.port(), .grpc = 0}, {}, "127.0.0.1").status();
  CHECK(rest.code() == absl::StatusCode::kUnavailable);
  CHECK(MessageOf(rest).find("port " + std::to_string(taken.port())) != std::string::npos);
  CHECK(MessageOf(rest).find("--rest-port") != std::string::npos);
  const absl::Status grpc =
      ChoosePorts({.rest = 0, .grpc = taken.port()}, {}, "127.0.0.1").status();
  CHECK(MessageOf(grpc).find("--grpc-port") != std::string::npos);
  // Also when it was the mesh's own the last time, unless any will do.
  Ports last;
  last.rest = taken.port();
  CHECK_FALSE(ChoosePorts({.grpc = 0}, last, "127.0.0.1").ok());
  CHECK(ChoosePorts(kAny, last, "127.0.0.1").value().ports.rest != taken.port());
}

TEST_CASE("all ports of a mesh differ and lie below those of outgoing connections",
          "[unit][trovectl]") {
  const Ports ports = ChoosePorts(kAny, {}, "127.0.0.1").value().ports;
  const std::set<int> all = {ports.rest,
                             ports.grpc,
                             ports.nats,
                             ports.enrol,
                             ports.api,
                             ports.taskmanager,
                             ports.conductor};
  CHECK(all.size() == 7);
  CHECK(*all.begin() >= 30'000);
  CHECK(*all.rbegin() < 32'768);
}

TEST_CASE("one port cannot serve REST and gRPC", "[unit][trovectl]") {
  const int port = ChoosePorts(kAny, {}, "127.0.0.1").value().ports.rest;
  const absl::Status refused = ChoosePorts({.rest = port, .grpc = port}, {}, "127.0.0.1").status();
  CHECK(MessageOf(refused).find("--grpc-port") != std::string::npos);
}

TEST_CASE("ports stay what they were as long as they are free", "[unit][trovectl]") {
  const Ports first = ChoosePorts(kAny, {}, "127.0.0.1").value().ports;
  CHECK(ChoosePorts(kAny, first, "127.0.0.1").value().ports == first);
  CHECK(ChoosePorts({}, first, "127.0.0.1").value().ports == first);

  const TakenPort taken;
  Ports last = first;
  last.nats = taken.port();
  const Ports moved = ChoosePorts({}, last, "127.0.0.1").value().ports;
  CHECK(moved.nats != taken.port());
  CHECK(moved.enrol == first.enrol);
}

TEST_CASE("launchers that start at the same time choose different ports", "[unit][trovectl]") {
  const ChosenPorts one = ChoosePorts(kAny, {}, "127.0.0.1").value();
  // Nothing listens yet, and still they are not taken for free.
  const ChosenPorts other = ChoosePorts(kAny, one.ports, "127.0.0.1").value();
  CHECK(other.ports.rest != one.ports.rest);
  CHECK(other.ports.nats != one.ports.nats);
  CHECK(other.ports.conductor != one.ports.conductor);
}

TEST_CASE("an address that is not this machine's is refused", "[unit][trovectl]") {
  CHECK(absl::IsInvalidArgument(IsPortFree("192.0.2.1", 0).status()));
  CHECK(absl::IsInvalidArgument(IsPortFree("localhost", 0).status()));
  CHECK(absl::IsInvalidArgument(ChoosePorts(kAny, {}, "").status()));
}

TEST_CASE("chosen ports are read back", "[unit][trovectl]") {
  const TemporaryDirectory folder;
  const Layout layout{folder.path()};
  REQUIRE(MakeDirectory(layout.Run(), 0700).ok());
  CHECK(ReadPorts(layout).value() == Ports());
  const Ports ports = ChoosePorts(kAny, {}, "127.0.0.1").value().ports;
  REQUIRE(WritePorts(layout, ports).ok());
  CHECK(ReadPorts(layout).value() == ports);
  REQUIRE(WriteFileAtomically(layout.Ports(), "rest many\n", 0600).ok());
  CHECK(absl::IsFailedPrecondition(ReadPorts(layout).status()));
}

TEST_CASE("loopback and addresses with ports", "[unit][trovectl]") {
  CHECK(IsLoopback("127.0.0.1"));
  CHECK(IsLoopback("127.1.2.3"));
  CHECK(IsLoopback("::1"));
  CHECK_FALSE(IsLoopback("10.0.0.1"));
  CHECK_FALSE(IsLoopback("localhost"));
  CHECK(HostPort("127.0.0.1", 80) == "127.0.0.1:80");
  CHECK(HostPort("::1", 80) == "[::1]:80");
}

}  // namespace
}  // namespace trove::trovectl
