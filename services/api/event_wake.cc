#include "services/api/event_wake.h"

#include <string>
#include <utility>

#include "trove/mesh/v1/bus.pb.h"

#include "libtrove/base/log.h"

namespace trove::api {
namespace {

constexpr absl::Duration kConfirmTime = absl::Seconds(5);
constexpr std::string_view kOperations = "operations/";

}  // namespace

EventWake::EventWake(Bus& bus, OperationWatcher& operations, EventWatcher& events)
    : operations_(operations), events_(events) {
  auto subscription =
      bus.Subscribe(CallFor(kConfirmTime),
                    AnyEventSubject(),
                    {.overflow = Overflow::kDropOldest},
                    [this](const BusMessage& message) {
                      mesh::v1::Event event;
                      if (!event.ParseFromString(message.payload)) return;
                      events_.Wake();
                      if (event.subject().starts_with(kOperations))
                        operations_.Wake(OperationId(event.subject().substr(kOperations.size())));
                    });
  if (subscription.ok()) {
    on_event_ = *std::move(subscription);
  } else {
    Log().Warning("the bus does not tell of events: watches look each second",
                  {{"error", subscription.status()}});
  }
  on_reconnect_ = bus.OnReconnect([this] {
    operations_.WakeAll();
    events_.Wake();
  });
}

}  // namespace trove::api
