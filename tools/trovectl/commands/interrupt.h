#pragma once

#include <stop_token>
#include <thread>

#include "libtrove/base/unique_fd.h"

namespace trove::trovectl {

/// While it lives, a first Ctrl-C (or SIGTERM) asks to stop instead of ending the program; a second
/// one ends it. One at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  std::stop_token token() const { return stop_.get_token(); }
  bool happened() const { return stop_.stop_requested(); }

 private:
  std::stop_source stop_;
  UniqueFd read_end_;
  UniqueFd write_end_;
  std::jthread listener_;  // last: it uses the rest
};

}  // namespace trove::trovectl
