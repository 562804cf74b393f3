#pragma once

#include <chrono>

namespace trove::keeper {

/// How long a program that ended by itself waits for its restart: doubles with each short run, from
/// `initial` to `most`, and is at `initial` again after a run of at least `stable`.
class RestartBackoff {
 public:
  RestartBackoff(std::chrono::milliseconds initial,
                 std::chrono::milliseconds most,
                 std::chrono::milliseconds stable)
      : initial_(initial), most_(most), stable_(stable), next_(initial) {}

  /// The wait after a run that lasted `lived`.
  std::chrono::milliseconds After(std::chrono::nanoseconds lived);

  /// Forgets the past: somebody asked for this start.
  void Reset() { next_ = initial_; }

 private:
  std::chrono::milliseconds initial_;
  std::chrono::milliseconds most_;
  std::chrono::milliseconds stable_;
  std::chrono::milliseconds next_;
};

}  // namespace trove::keeper
