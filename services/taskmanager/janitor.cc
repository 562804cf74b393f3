#include "services/taskmanager/janitor.h"

#include <memory>

#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "services/taskmanager/pause.h"

namespace trove::taskmanager {
namespace {

constexpr char kLease[] = "janitor";

// Between two bites: others write meanwhile.
constexpr absl::Duration kBreath = absl::Milliseconds(20);

}  // namespace

Janitor::Janitor(Store& store, WorkerLease& worker, Options options)
    : store_(store),
      worker_(worker),
      options_(options),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

Janitor::~Janitor() {
  Stop();
}

void Janitor::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

absl::StatusOr<int> Janitor::CleanUp(const Call& call) {
  const std::shared_ptr<const WorkerTerm> term = worker_.Current();
  if (term == nullptr) return 0;
  // Two at a time would do no harm, but twice the work.
  TROVE_ASSIGN_OR_RETURN(const bool held,
                         store_.HoldLease(call, kLease, term->id, options_.every * 2));
  if (!held) return 0;
  int all = 0;
  while (true) {
    TROVE_ASSIGN_OR_RETURN(const int gone, store_.Purge(call, options_.kept, options_.bite));
    all += gone;
    if (gone < options_.bite || term->lost.stop_requested()) return all;
    if (!Pause(call.stop, kBreath)) return all;
    TROVE_RETURN_IF_ERROR(call.Check());
  }
}

void Janitor::Run(const std::stop_token& stop) {
  while (Pause(stop, options_.every)) {
    const auto gone = CleanUp(CallFor(options_.every, stop, kLease));
    if (!gone.ok() && !absl::IsAborted(gone.status()) && !stop.stop_requested())
      log_.Warning("old rows could not be forgotten", {{"error", gone.status()}});
    if (gone.ok() && *gone > 0) log_.Info("old rows are forgotten", {{"rows", *gone}});
  }
}

}  // namespace trove::taskmanager
