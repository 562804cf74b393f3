#include "services/conductor/job_reports.h"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "trove/mesh/v1/bus.pb.h"

#include "libtrove/base/status_macros.h"
#include "libtrove/bus/subject.h"
#include "services/conductor/wake.h"

namespace trove::conductor {
namespace {

// Several at a time, so that the store commits them as one group.
constexpr int kWriters = 8;
constexpr std::size_t kMostQueued = 1024;
constexpr absl::Duration kWriteLimit = absl::Seconds(5);

}  // namespace

JobReports::JobReports(Store& store, Bus& bus, Log log)
    : store_(store),
      bus_(bus),
      log_(std::move(log)),
      writers_("job-reports", kWriters, kMostQueued) {}

absl::Status JobReports::Start(const Call& call) {
  SubscribeOptions options;
  options.queue_group = "conductor";
  TROVE_ASSIGN_OR_RETURN(
      subscription_,
      bus_.Subscribe(call, AnyJobReportSubject(), options, [this](BusMessage message) {
        // A full queue drops it, and the guest repeats it.
        writers_.Submit([this, message = std::move(message)] { Take(message); }).IgnoreError();
      }));
  return absl::OkStatus();
}

void JobReports::Take(const BusMessage& message) {
  mesh::v1::JobReport report;
  const absl::StatusOr<GuestId> sender = GuestOf(message.subject);
  // The bus lets a guest send under its own subject alone, so the subject says who it is.
  if (!sender.ok() || !report.ParseFromString(message.payload) ||
      report.guest_id() != sender->value()) {
    log_.Warning("a job report is not its sender's", {{"subject", message.subject.value()}});
    return;
  }
  const Call call = CallFor(kWriteLimit);
  const absl::StatusOr<std::optional<OperationId>> due =
      store_.RecordJobResult(call,
                             {.guest_id = *sender,
                              .job_id = JobId(report.job_id()),
                              .final = report.state() != mesh::v1::JobReport::STATE_RUNNING,
                              .progress = report.progress(),
                              .payload = message.payload});
  if (!due.ok()) {
    log_.Warning("a job report is not taken",
                 {{"guest", sender->value()}, {"job", report.job_id()}, {"error", due.status()}});
    // One that will never be taken is acknowledged, so that it is not repeated for ever.
    if (!absl::IsPermissionDenied(due.status())) return;
  } else if (*due) {
    WakeTaskManagers(call, bus_, **due);
  }
  if (message.can_reply()) {
    message.reply(mesh::v1::JobReportAck().SerializeAsString()).IgnoreError();  // repeated then
  }
}

}  // namespace trove::conductor
