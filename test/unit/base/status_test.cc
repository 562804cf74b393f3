#include "libtrove/base/status.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include <absl/strings/cord.h>
#include <catch2/catch.hpp>

#include "libtrove/base/check.h"
#include "libtrove/base/status_macros.h"

namespace trove {
namespace {

TEST_CASE("a failed system call becomes the nearest code", "[unit][base]") {
  const auto [error, want] = GENERATE(table<int, absl::StatusCode>({
      {ENOENT, absl::StatusCode::kNotFound},
      {ESRCH, absl::StatusCode::kNotFound},
      {EEXIST, absl::StatusCode::kAlreadyExists},
      {EACCES, absl::StatusCode::kPermissionDenied},
      {EPERM, absl::StatusCode::kPermissionDenied},
      {ENOSPC, absl::StatusCode::kResourceExhausted},
      {EDQUOT, absl::StatusCode::kResourceExhausted},
      {EINTR, absl::StatusCode::kUnavailable},
      {EAGAIN, absl::StatusCode::kUnavailable},
      {ETIMEDOUT, absl::StatusCode::kDeadlineExceeded},
      {EIO, absl::StatusCode::kInternal},
  }));
  CAPTURE(error);
  CHECK(ErrnoStatus(error, "open x").code() == want);
}

TEST_CASE("a failed system call says what was tried", "[unit][base]") {
  CHECK(MessageOf(ErrnoStatus(ENOSPC, "write x")) == "write x: No space left on device");
}

TEST_CASE("context goes in front of a message, and the rest stays", "[unit][base]") {
  absl::Status status = absl::AbortedError("somebody was faster");
  status.SetPayload("type.googleapis.com/x", absl::Cord("payload"));
  const absl::Status annotated = Annotate(status, "rename b7");
  CHECK(absl::IsAborted(annotated));
  CHECK(MessageOf(annotated) == "rename b7: somebody was faster");
  REQUIRE(annotated.GetPayload("type.googleapis.com/x").has_value());
  CHECK(std::string(*annotated.GetPayload("type.googleapis.com/x")) == "payload");
  CHECK(Annotate(absl::OkStatus(), "rename b7").ok());
}

absl::Status Count(const absl::Status& given, int& evaluated, int& after) {
  TROVE_RETURN_IF_ERROR((++evaluated, given));
  ++after;
  return absl::OkStatus();
}

TEST_CASE("RETURN_IF_ERROR returns an error and looks once", "[unit][base]") {
  int evaluated = 0;
  int after = 0;
  CHECK(Count(absl::OkStatus(), evaluated, after).ok());
  CHECK(absl::IsAborted(Count(absl::AbortedError("x"), evaluated, after)));
  CHECK(evaluated == 2);
  CHECK(after == 1);
}

absl::StatusOr<std::unique_ptr<int>> Made(int value) {
  if (value < 0) return absl::OutOfRangeError("negative");
  return std::make_unique<int>(value);
}

absl::StatusOr<int> Sum(int a, int b) {
  TROVE_ASSIGN_OR_RETURN(const std::unique_ptr<int> first, Made(a));
  std::unique_ptr<int> second;
  TROVE_ASSIGN_OR_RETURN(second, Made(b));
  return *first + *second;
}

TEST_CASE("ASSIGN_OR_RETURN declares or assigns, and passes an error on", "[unit][base]") {
  CHECK(Sum(2, 3).value() == 5);
  CHECK(absl::IsOutOfRange(Sum(-1, 3).status()));
  CHECK(absl::IsOutOfRange(Sum(2, -1).status()));
}

// The signal that ends a child which runs `body`; 0: it ended by itself.
template <class F>
int SignalThatEnds(F body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::signal(SIGABRT, SIG_DFL);  // the test framework's own handler would report a failure
    ::close(STDERR_FILENO);
    body();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST_CASE("a broken invariant ends the process", "[unit][base]") {
  CHECK(SignalThatEnds([] { TROVE_CHECK(1 + 1 == 2); }) == 0);
  CHECK(SignalThatEnds([] { TROVE_CHECK(1 + 1 == 3); }) == SIGABRT);
}

}  // namespace
}  // namespace trove
