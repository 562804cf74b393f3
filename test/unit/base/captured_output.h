#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>

#include "libtrove/base/check.h"
#include "libtrove/base/handle.h"

namespace trove {

/// Collects what is written to a descriptor of this process (1 or 2) until Take or the end.
class CapturedOutput {
 public:
  explicit CapturedOutput(int fd) : fd_(fd), file_(std::tmpfile()), before_(::dup(fd)) {
    TROVE_CHECK(file_ != nullptr && before_ >= 0);
    TROVE_CHECK(::dup2(::fileno(file_.get()), fd_) == fd_);
  }
  ~CapturedOutput() { Restore(); }
  CapturedOutput(const CapturedOutput&) = delete;
  CapturedOutput& operator=(const CapturedOutput&) = delete;

  /// Ends the capture and returns what was written.
  std::string Take() {
    Restore();
    std::string text;
    std::rewind(file_.get());
    for (int c = std::fgetc(file_.get()); c != EOF; c = std::fgetc(file_.get()))
      text += static_cast<char>(c);
    return text;
  }

 private:
  void Restore() {
    if (before_ < 0) return;
    std::fflush(fd_ == STDOUT_FILENO ? stdout : stderr);
    ::dup2(before_, fd_);
    ::close(before_);
    before_ = -1;
  }

  const int fd_;
  const Handle<std::FILE, std::fclose> file_;
  int before_;
};

}  // namespace trove
