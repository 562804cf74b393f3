#include "libtrove/agent/keeper_client.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/subprocess.h"

namespace trove::keeper {
namespace {

constexpr int kLongestPollMs = 60'000;  // a clock that was set back is noticed after so long

// Waits until `fd` is ready for `events` or the call ends.
absl::Status WaitFor(const Call& call, int fd, short events) {
  UniqueFd stopped;
  std::optional<std::stop_callback<std::function<void()>>> on_stop;
  if (call.stop.stop_possible()) {
    stopped = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!stopped) return ErrnoStatus(errno, "eventfd");
    on_stop.emplace(call.stop, [wake = stopped.get()] { ::eventfd_write(wake, 1); });
  }
  while (true) {
    TROVE_RETURN_IF_ERROR(call.Check());
    pollfd waiting[2] = {{fd, events, 0}, {stopped.get(), POLLIN, 0}};
    const absl::Duration left = absl::Ceil(call.Remaining(), absl::Milliseconds(1));
    const int ms = static_cast<int>(
        absl::ToInt64Milliseconds(std::min(left, absl::Milliseconds(kLongestPollMs))));
    const int ready = ::poll(waiting, 2, ms);
    if (ready < 0 && errno != EINTR) return ErrnoStatus(errno, "poll");
    if (ready > 0 && waiting[0].revents != 0) return absl::OkStatus();
  }
}

absl::StatusOr<UniqueFd> Connect(const Call& call, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() > kMaxSocketPathBytes)
    return absl::InvalidArgumentError("longer than the path of a socket may be: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return ErrnoStatus(errno, "socket");
  while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
         0) {
    if (errno == EINTR) continue;
    // EAGAIN: the keeper's queue is full for now, and AF_UNIX has no POLLOUT for that.
    if (errno == ENOENT || errno == ECONNREFUSED || errno == EAGAIN)
      return absl::UnavailableError("no keeper listens on " + path);
    return ErrnoStatus(errno, "connect to the keeper on " + path);
  }
  TROVE_RETURN_IF_ERROR(call.Check());
  return socket;
}

absl::StatusOr<std::variant<Reply, Event>> Receive(const Call& call, int socket) {
  std::vector<char> frame(kMaxFrameBytes);
  bool reset = false;
  while (true) {
    TROVE_RETURN_IF_ERROR(WaitFor(call, socket, POLLIN));
    const ssize_t got = ::recv(socket, frame.data(), frame.size(), MSG_TRUNC);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    // Said once when the keeper closed before it had read our frame; its answer comes after it.
    if (got < 0 && errno == ECONNRESET && !std::exchange(reset, true)) continue;
    if (got == 0 || (got < 0 && errno == ECONNRESET))
      return absl::UnavailableError("the keeper is gone");
    if (got < 0) return ErrnoStatus(errno, "receive from the keeper");
    if (static_cast<std::size_t>(got) > frame.size())
      return absl::InternalError("the keeper sent more than a frame");
    auto message = ParseMessage(std::string_view(frame.data(), static_cast<std::size_t>(got)));
    if (!message.value) return absl::InternalError("not from a keeper: " + message.error);
    return *std::move(message.value);
  }
}

absl::Status StatusOf(const Reply& reply) {
  const std::string text = std::string(NameOf(reply.result)) + ": " + reply.message;
  switch (reply.result) {
    case Result::kOk:
      return absl::OkStatus();
    case Result::kBadRequest:
      return absl::InvalidArgumentError(text);
    case Result::kStaleGeneration:
      return absl::AbortedError(text);
    case Result::kAlreadyRunning:
      return absl::AlreadyExistsError(text);
    case Result::kSpawn:
    case Result::kWrongGuest:
      return absl::FailedPreconditionError(text);
    case Result::kForbidden:
      return absl::PermissionDeniedError(text);
    case Result::kStopping:
    case Result::kBusy:
      return absl::UnavailableError(text);
    case Result::kFailed:
      return absl::InternalError(text);
  }
  return absl::InternalError(text);
}

absl::StatusOr<Reply> ReceiveReply(const Call& call, int socket) {
  TROVE_ASSIGN_OR_RETURN(auto message, Receive(call, socket));
  Reply* const reply = std::get_if<Reply>(&message);
  if (reply == nullptr) return absl::InternalError("an event where a reply was due");
  TROVE_RETURN_IF_ERROR(StatusOf(*reply));
  return std::move(*reply);
}

}  // namespace

KeeperEvents::KeeperEvents(UniqueFd socket, KeeperStatus status)
    : socket_(std::move(socket)),
      first_(std::make_unique<Event>(Event{EventKind::kSubscribed, std::move(status)})) {}

absl::StatusOr<Event> KeeperEvents::Next(const Call& call) {
  if (first_ != nullptr) return std::move(*std::exchange(first_, nullptr));
  TROVE_ASSIGN_OR_RETURN(auto message, Receive(call, socket_.get()));
  Event* const event = std::get_if<Event>(&message);
  if (event == nullptr) return absl::InternalError("a reply where an event was due");
  return std::move(*event);
}

KeeperClient::KeeperClient(std::string socket_path, std::string guest_id)
    : socket_path_(std::move(socket_path)), guest_id_(std::move(guest_id)) {}

absl::StatusOr<UniqueFd> KeeperClient::Send(const Call& call, Request request) const {
  TROVE_RETURN_IF_ERROR(call.Check());
  request.guest_id = guest_id_;
  const std::string frame = EncodeRequest(request);
  if (frame.size() > kMaxFrameBytes)
    return absl::InvalidArgumentError("the request is larger than a frame (64 KiB)");
  TROVE_ASSIGN_OR_RETURN(UniqueFd socket, Connect(call, socket_path_));
  while (::send(socket.get(), frame.data(), frame.size(), MSG_NOSIGNAL) < 0) {
    if (errno == EAGAIN) {
      TROVE_RETURN_IF_ERROR(WaitFor(call, socket.get(), POLLOUT));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      break;  // refused before it was asked anything: the answer may lie in the queue
    } else if (errno != EINTR) {
      return ErrnoStatus(errno, "send to the keeper");
    }
  }
  return socket;
}

absl::StatusOr<KeeperStatus> KeeperClient::Ask(const Call& call, Request request) const {
  TROVE_ASSIGN_OR_RETURN(const UniqueFd socket, Send(call, std::move(request)));
  TROVE_ASSIGN_OR_RETURN(Reply reply, ReceiveReply(call, socket.get()));
  return std::move(reply.status);
}

absl::StatusOr<KeeperStatus> KeeperClient::GetStatus(const Call& call) const {
  return Ask(call, {{}, StatusRequest{}});
}

absl::StatusOr<KeeperStatus> KeeperClient::StartServer(const Call& call,
                                                       StartServerRequest request) const {
  return Ask(call, {{}, std::move(request)});
}

absl::StatusOr<KeeperStatus> KeeperClient::StopServer(const Call& call,
                                                      StopServerRequest request) const {
  return Ask(call, {{}, request});
}

absl::StatusOr<KeeperStatus> KeeperClient::KillServer(const Call& call,
                                                      KillServerRequest request) const {
  return Ask(call, {{}, request});
}

absl::StatusOr<KeeperStatus> KeeperClient::WaitServer(const Call& call) const {
  return Ask(call, {{}, WaitServerRequest{}});
}

absl::StatusOr<KeeperStatus> KeeperClient::ArmDeadline(const Call& call,
                                                       ArmDeadlineRequest request) const {
  return Ask(call, {{}, request});
}

absl::StatusOr<KeeperStatus> KeeperClient::ReplaceAgent(const Call& call,
                                                        ReplaceAgentRequest request) const {
  return Ask(call, {{}, std::move(request)});
}

absl::StatusOr<KeeperStatus> KeeperClient::StopAll(const Call& call, StopAllRequest request) const {
  TROVE_ASSIGN_OR_RETURN(const UniqueFd socket, Send(call, {{}, request}));
  ucred keeper{};  // who listens: known before it can be gone
  socklen_t length = sizeof(keeper);
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &keeper, &length) != 0)
    return ErrnoStatus(errno, "ask who the keeper is");
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, keeper.pid, 0)));
  TROVE_ASSIGN_OR_RETURN(Reply reply, ReceiveReply(call, socket.get()));
  // An end of file would come a moment before the lock is free.
  if (process) TROVE_RETURN_IF_ERROR(WaitFor(call, process.get(), POLLIN));
  return std::move(reply.status);
}

absl::StatusOr<std::unique_ptr<KeeperEvents>> KeeperClient::Subscribe(const Call& call) const {
  TROVE_ASSIGN_OR_RETURN(UniqueFd socket, Send(call, {{}, SubscribeRequest{}}));
  TROVE_ASSIGN_OR_RETURN(Reply reply, ReceiveReply(call, socket.get()));
  return std::unique_ptr<KeeperEvents>(
      new KeeperEvents(std::move(socket), std::move(reply.status)));
}

absl::Status StartKeeper(const Call& call,
                         const std::filesystem::path& binary,
                         const std::filesystem::path& spec_path) {
  ProgramSpec program;
  program.argv = {binary.string(), "--spec", spec_path.string(), "--detach"};
  TROVE_ASSIGN_OR_RETURN(ProgramResult result, RunProgram(call, std::move(program)));
  while (!result.output.empty() && result.output.back() == '\n')
    result.output.pop_back();
  const std::string text = "start the keeper by " + spec_path.string() + ": " + result.output;
  if (result.exit_code > 128) {  // nothing is wrong with the guest: the next attempt can do
    return absl::UnavailableError(text + "a signal ended it (" +
                                  std::to_string(result.exit_code - 128) + ")");
  }
  switch (result.exit_code) {
    case kExitOk:
      return absl::OkStatus();
    case kExitLocked:
      return absl::AlreadyExistsError(text);
    case kExitStaleGeneration:
      return absl::AbortedError(text);
    case kExitUsage:
      return absl::InvalidArgumentError(text);
    default:
      return absl::FailedPreconditionError(text);
  }
}

}  // namespace trove::keeper
