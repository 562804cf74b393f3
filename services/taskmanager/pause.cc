#include "services/taskmanager/pause.h"

#include <condition_variable>
#include <mutex>

namespace trove::taskmanager {

bool Pause(std::stop_token stop, absl::Duration duration) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, absl::ToChronoNanoseconds(duration), [] { return false; });
  return !stop.stop_requested();
}

}  // namespace trove::taskmanager
