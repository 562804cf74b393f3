// How many heartbeats a conductor takes in per second of CPU:
//   trove-bench-heartbeats GUESTS SECONDS
// The guests are enrolled rows of a real SQLite file; GuestWatch::Hear is called as the bus calls
// it, with serialized heartbeats. One in a hundred says something new (the volume grew), the rest
// only that the guest lives. The bus's own work is not in it. Prints JSON.

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <time.h>

#include "libtrove/base/check.h"
#include "libtrove/base/clock.h"
#include "libtrove/bus/subject.h"
#include "services/conductor/guest_watch.h"
#include "test/support/memory_bus.h"
#include "test/support/seeded_store.h"
#include "test/support/temporary_directory.h"

namespace trove::conductor {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

struct Guest {
  Subject subject;
  mesh::v1::Heartbeat beat;
};

// Of the whole process, its writer included, or of this thread.
double CpuSeconds(clockid_t whose) {
  timespec now = {};
  ::clock_gettime(whose, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void Measure(int guest_count, absl::Duration length) {
  const TemporaryDirectory folder;
  const SystemClock clock;
  const auto store = OpenSeededStore(folder / "trove.db", clock);
  std::vector<Guest> guests;
  for (int i = 0; i < guest_count; ++i) {
    const NewInstance wanted = NewSeededInstance("p1", "instance.create");
    TROVE_CHECK(
        store->CreateInstance(CallFor(absl::Seconds(60)), SeededRequester("p1"), wanted).ok());
    mesh::v1::Heartbeat beat;
    beat.set_guest_id(wanted.guest_id.value());
    beat.set_boot_id("2f0c1a52-8d3c-4b7e-9a11-6d3c0f5be001");
    beat.set_incarnation(1);
    beat.set_generation(1);
    beat.set_status(mesh::v1::SERVER_STATUS_HEALTHY);
    beat.set_agent_api(1);
    beat.set_running_version("10.11.6");
    beat.set_volume_used_bytes(100 * kMiB);
    beat.set_volume_size_bytes(1024 * kMiB);
    guests.push_back({HeartbeatSubject(wanted.guest_id).value(), std::move(beat)});
  }
  MemoryBus bus;
  GuestWatch watch(*store, bus, clock, WorkerId("conductor-bench"), absl::Seconds(15), Log());
  TROVE_CHECK(watch.Start(CallFor(absl::Seconds(10))).ok());

  std::int64_t heard = 0;
  double making_s = 0;  // CPU for making the payloads, which guests pay for
  const absl::Time begun = absl::Now();
  const double cpu_begun = CpuSeconds(CLOCK_PROCESS_CPUTIME_ID);
  std::vector<std::string> payloads(guests.size());
  while (absl::Now() - begun < length) {
    const double making = CpuSeconds(CLOCK_THREAD_CPUTIME_ID);
    for (std::size_t i = 0; i < guests.size(); ++i) {
      mesh::v1::Heartbeat& beat = guests[i].beat;
      beat.set_sequence(beat.sequence() + 1);
      if ((heard + static_cast<std::int64_t>(i)) % 100 == 0)
        beat.set_volume_used_bytes(beat.volume_used_bytes() + 64 * kMiB);
      payloads[i] = beat.SerializeAsString();
    }
    making_s += CpuSeconds(CLOCK_THREAD_CPUTIME_ID) - making;
    for (std::size_t i = 0; i < guests.size(); ++i)
      watch.Hear(guests[i].subject, payloads[i]);
    heard += static_cast<std::int64_t>(guests.size());
  }
  const double cpu_s = CpuSeconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_begun - making_s;
  TROVE_CHECK(watch.status().heartbeats == heard);
  TROVE_CHECK(watch.status().guests_heard == guest_count);
  const double wall_s = absl::ToDoubleSeconds(absl::Now() - begun);
  std::printf(
      "{\"guests\": %d, \"heard\": %lld, \"wall_s\": %.3f, \"cpu_s\": %.3f, "
      "\"per_cpu_second\": %.0f}\n",
      guest_count,
      static_cast<long long>(heard),
      wall_s,
      cpu_s,
      static_cast<double>(heard) / cpu_s);
}

}  // namespace
}  // namespace trove::conductor

int main(int argc, char** argv) {
  const auto number = [&](int at, int otherwise) {
    if (at >= argc) return otherwise;
    const std::string_view text = argv[at];
    int parsed = otherwise;
    std::from_chars(text.data(), text.data() + text.size(), parsed);
    return parsed;
  };
  trove::conductor::Measure(number(1, 2000), absl::Seconds(number(2, 3)));
  return 0;
}
