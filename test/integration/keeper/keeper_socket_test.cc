#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "libtrove/base/status.h"
#include "libtrove/base/unique_fd.h"
#include "test/integration/keeper/test_guest.h"
#include "test/support/eventually.h"

namespace trove::keeper {
namespace {

UniqueFd RawConnection(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const int connected =
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  REQUIRE(connected == 0);
  return socket;
}

// What the keeper says until it closes.
std::string Drain(int socket) {
  std::string said;
  std::vector<char> frame(kMaxFrameBytes);
  while (true) {
    const ssize_t got = ::recv(socket, frame.data(), frame.size(), 0);
    if (got <= 0) return said;
    said.append(frame.data(), static_cast<std::size_t>(got));
  }
}

TEST_CASE("garbage on the socket closes that connection only", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  const UniqueFd bystander = RawConnection(guest.client().socket_path());
  const pid_t server = guest.StartServer(kPoliteServer);

  std::string frame;
  std::string answer;
  SECTION("no fields") {
    frame = "GET / HTTP/1.1\r\n\r\n";
    answer = "reply=BAD_REQUEST\nmessage=line 1: not key=value\n";
  }
  SECTION("an unknown request") {
    frame = "request=dance\n";
    answer = "reply=BAD_REQUEST\nmessage=unknown request dance\n";
  }
  SECTION("an unknown key") {
    frame = "request=status\nloudly=1\n";
    answer = "reply=BAD_REQUEST\nmessage=unknown key loudly\n";
  }
  SECTION("zeros") {
    frame = std::string(kMaxFrameBytes, '\0');
    answer = "reply=BAD_REQUEST\nmessage=line 1: no line feed at the end\n";
  }
  SECTION("more than a frame") {
    frame = std::string(kMaxFrameBytes + 1, 'x');
  }
  SECTION("a second request while the first one waits") {
    frame = "request=wait_server\n";
  }
  const UniqueFd socket = RawConnection(guest.client().socket_path());
  REQUIRE(::send(socket.get(), frame.data(), frame.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(frame.size()));
  if (frame == "request=wait_server\n")
    ::send(socket.get(), frame.data(), frame.size(), MSG_NOSIGNAL);
  CHECK(Drain(socket.get()).substr(0, answer.size()) == answer);

  CHECK(guest.Status().server.pid == server);
  const std::string status = EncodeRequest({"", StatusRequest{}});
  CHECK(::send(bystander.get(), status.data(), status.size(), MSG_NOSIGNAL) > 0);
  char byte = 0;
  CHECK(::recv(bystander.get(), &byte, 1, 0) == 1);
}

TEST_CASE("a connection may ask one thing after the other", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  const UniqueFd socket = RawConnection(guest.client().socket_path());
  for (int i = 0; i < 3; ++i) {
    const std::string status = EncodeRequest({"guest-1", StatusRequest{}});
    REQUIRE(::send(socket.get(), status.data(), status.size(), MSG_NOSIGNAL) > 0);
    std::vector<char> frame(kMaxFrameBytes);
    const ssize_t got = ::recv(socket.get(), frame.data(), frame.size(), 0);
    REQUIRE(got > 0);
    CHECK(ParseMessage({frame.data(), static_cast<std::size_t>(got)}).value);
  }
}

TEST_CASE("connections are bounded and come free again", "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  {
    std::vector<UniqueFd> held;
    while (held.size() < kMaxConnections)
      held.push_back(RawConnection(guest.client().socket_path()));
    const absl::Status busy = guest.client().GetStatus(Soon()).status();
    CHECK(absl::IsUnavailable(busy));
    CHECK(MessageOf(busy) == "BUSY: too many connections");
  }
  CHECK(Eventually(absl::Seconds(10), [&] { return guest.client().GetStatus(Soon()).ok(); }));
}

TEST_CASE("a subscriber that does not read is dropped and holds nothing up",
          "[integration][keeper]") {
  TestGuest guest;
  guest.Start();
  const UniqueFd lazy = RawConnection(guest.client().socket_path());
  const int small = 1;
  ::setsockopt(lazy.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  const std::string subscribe = EncodeRequest({"", SubscribeRequest{}});
  REQUIRE(::send(lazy.get(), subscribe.data(), subscribe.size(), MSG_NOSIGNAL) > 0);
  for (int i = 0; i < 150; ++i) {
    guest.StartServer("exit 0", false, false);
    REQUIRE(guest.client().WaitServer(Soon()).ok());
  }
  CHECK(guest.Status().server.starts == 150);
}

// Runs `ask` as the guest's uid and returns what it returned (0 to 255).
int AsGuest(const Spec& spec, const std::function<int()>& ask) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::setresgid(spec.gid, spec.gid, spec.gid) != 0) ::_exit(255);
    if (::setresuid(spec.uid, spec.uid, spec.uid) != 0) ::_exit(255);
    ::_exit(ask());
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

TEST_CASE("the guest may use its keeper but not replace or end itself", "[integration][keeper]") {
  if (::geteuid() != 0) {
    WARN("not root: the guest and its owner are the same user");
    return;
  }
  TestGuest guest;
  guest.Start();
  const KeeperClient& client = guest.client();
  const auto code = [](const absl::Status& status) {
    return static_cast<int>(status.code());
  };
  CHECK(AsGuest(guest.spec(), [&] { return code(client.GetStatus(Soon()).status()); }) == 0);
  CHECK(AsGuest(guest.spec(), [&] {
          return code(client.StartServer(Soon(), {1, Shell("sleep 60")}).status());
        }) == 0);
  const int denied = static_cast<int>(absl::StatusCode::kPermissionDenied);
  CHECK(AsGuest(guest.spec(), [&] { return code(client.StopAll(Soon(), {99}).status()); }) ==
        denied);
  CHECK(AsGuest(guest.spec(), [&] {
          return code(client.ReplaceAgent(Soon(), {99, Shell("sleep 60")}).status());
        }) == denied);
  CHECK(guest.Status().generation == 1);

  // A guest that takes all the connections it can get leaves some for its owner.
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t greedy = ::fork();
  if (greedy == 0) {
    if (::setresuid(guest.spec().uid, guest.spec().uid, guest.spec().uid) != 0) ::_exit(255);
    std::vector<UniqueFd> held;
    held.reserve(kMaxConnections);
    for (int i = 0; i < kMaxConnections; ++i)
      held.push_back(RawConnection(client.socket_path()));
    const bool busy = absl::IsUnavailable(client.GetStatus(Soon()).status());
    [[maybe_unused]] const ssize_t told = ::write(write_end.get(), busy ? "y" : "n", 1);
    ::pause();
  }
  write_end.Reset();
  char refused = 0;
  CHECK(::read(read_end.get(), &refused, 1) == 1);
  CHECK(refused == 'y');
  CHECK(client.GetStatus(Soon()).ok());
  ::kill(greedy, SIGKILL);
  ::waitpid(greedy, nullptr, 0);
}

}  // namespace
}  // namespace trove::keeper
