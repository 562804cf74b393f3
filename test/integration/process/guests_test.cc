#include <csignal>
#include <limits>
#include <thread>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "test/integration/process/host.h"
#include "test/support/eventually.h"

namespace trove::taskmanager {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);

TEST_CASE("a guest keeps its place until it is released, and no two have the same",
          "[integration][process]") {
  Host host;
  GuestSpec one = host.NewGuest();
  GuestSpec two = host.NewGuest();
  const auto first = host.provisioner().Place(Soon(), one.guest);
  const auto second = host.provisioner().Place(Soon(), two.guest);
  REQUIRE(first.ok());
  REQUIRE(second.ok());
  CHECK(first->port != second->port);
  if (::geteuid() == 0) {
    CHECK(first->uid > 0);
    CHECK(first->uid != second->uid);
  }
  // Also after a restart, and with a newer claim.
  const auto again = host.Open();
  one.guest.generation = 2;
  CHECK(*again->Place(Soon(), one.guest) == *first);
  CHECK(again->Reclaim(Soon(), one.guest, *first).ok());
  CHECK(absl::IsAlreadyExists(again->Reclaim(Soon(), one.guest, *second)));
  // A place that was never stored is given back as well.
  CHECK(again->Release(Soon(), one.guest, {}).ok());
  CHECK(again->Reclaim(Soon(), two.guest, *first).ok());
  CHECK(again->Reclaim(Soon(), two.guest, *second).ok());
  CHECK(again->Release(Soon(), two.guest, *first).ok());
}

TEST_CASE("many guests that are placed at once get places of their own", "[integration][process]") {
  Host host;
  std::vector<GuestSpec> guests;
  for (int i = 0; i < 24; ++i)
    guests.push_back(host.NewGuest());
  std::vector<int> ports(guests.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < guests.size(); ++i) {
      threads.emplace_back([&, i] {
        const auto place = host.provisioner().Place(Soon(), guests[i].guest);
        if (place.ok()) ports[i] = place->port;
      });
    }
  }
  std::sort(ports.begin(), ports.end());
  CHECK(ports.front() >= 20'000);
  CHECK(std::adjacent_find(ports.begin(), ports.end()) == ports.end());
}

TEST_CASE("a volume is made whole from its template, once, and never touched again",
          "[integration][process]") {
  Host host;
  GuestSpec guest = host.NewGuest();
  guest.place = *host.provisioner().Place(Soon(), guest.guest);
  host.BreakBuilds(true);
  const absl::Status broken = host.provisioner().EnsureVolume(Soon(), Host::VolumeOf(guest));
  CHECK(absl::IsFailedPrecondition(broken));
  CHECK_THAT(std::string(broken.message()), Catch::Contains("no server here"));
  CHECK(std::filesystem::is_empty(host.layout().Volumes()));
  host.BreakBuilds(false);

  // What a call that was cut off left behind is in nobody's way.
  const auto remains = host.layout().Volumes() / (".new-" + guest.volume_id.value());
  REQUIRE(MakeDirectory(remains, 0700).ok());
  REQUIRE(WriteFileAtomically(remains / "half", "", 0600).ok());
  REQUIRE(host.provisioner().EnsureVolume(Soon(), Host::VolumeOf(guest)).ok());
  CHECK(host.ContentOf(guest) == "pristine\n");
  CHECK_FALSE(std::filesystem::exists(host.layout().Volume(guest.volume_id) / "half"));
  CHECK(std::filesystem::is_symlink(host.layout().Volume(guest.volume_id) / "data/link"));

  REQUIRE(
      WriteFileAtomically(host.layout().Volume(guest.volume_id) / "data/file", "mine", 0600).ok());
  VolumeSpec larger = Host::VolumeOf(guest);
  larger.size_gib = 2;
  CHECK(host.provisioner().EnsureVolume(Soon(), larger).ok());
  CHECK(host.ContentOf(guest) == "mine");
  const GuestSpec next = host.NewRunningGuest();
  CHECK(host.ContentOf(next) == "pristine\n");
  CHECK(host.builds() == 2);  // the broken one and the good one
  REQUIRE(host.provisioner().RemoveVolume(Soon(), guest.guest, guest.volume_id).ok());
  CHECK(host.ContentOf(guest) == "(none)");
  CHECK(host.provisioner().RemoveVolume(Soon(), guest.guest, guest.volume_id).ok());
}

TEST_CASE("a guest runs, is stopped, starts again and is found when it is gone",
          "[integration][process]") {
  Host host;
  GuestSpec guest = host.NewGuest();
  CHECK_FALSE(host.PresenceOf(guest));
  guest = host.NewRunningGuest();
  CHECK(host.PresenceOf(guest) == GuestPresence::kRunning);
  const auto before = host.ProcessesOf(guest);
  CHECK(host.provisioner().Ensure(Soon(), guest).ok());
  CHECK(host.ProcessesOf(guest).size() >= 3);
  CHECK(host.KeeperOf(guest).GetStatus(Soon())->agent.starts == 1);

  guest.guest.generation = 7;
  REQUIRE(host.provisioner().Stop(CallFor(absl::Seconds(4)), guest.guest).ok());
  CHECK(host.ProcessesOf(guest).empty());
  CHECK(host.PresenceOf(guest) == GuestPresence::kStopped);
  CHECK(host.provisioner().Stop(Soon(), guest.guest).ok());
  REQUIRE(host.provisioner().Start(Soon(), guest.guest).ok());
  CHECK(host.PresenceOf(guest) == GuestPresence::kRunning);
  CHECK(host.provisioner().Start(Soon(), guest.guest).ok());

  for (const pid_t pid : host.ProcessesOf(guest))
    ::kill(pid, SIGKILL);
  CHECK(Eventually(kPatience, [&] { return host.PresenceOf(guest) == GuestPresence::kGone; }));
  REQUIRE(host.provisioner().Ensure(Soon(), guest).ok());
  CHECK(host.PresenceOf(guest) == GuestPresence::kRunning);
}

TEST_CASE("a claim that is not the newest can do nothing", "[integration][process]") {
  Host host;
  GuestSpec guest = host.NewRunningGuest();
  guest.guest.generation = 5;
  REQUIRE(host.provisioner().Ensure(Soon(), guest).ok());
  GuestSpec stale = guest;
  stale.guest.generation = 4;
  ProcessProvisioner& provisioner = host.provisioner();
  CHECK(absl::IsAborted(provisioner.Place(Soon(), stale.guest).status()));
  CHECK(absl::IsAborted(provisioner.Reclaim(Soon(), stale.guest, stale.place)));
  CHECK(absl::IsAborted(provisioner.Release(Soon(), stale.guest, stale.place)));
  CHECK(absl::IsAborted(provisioner.EnsureVolume(Soon(), Host::VolumeOf(stale))));
  CHECK(absl::IsAborted(provisioner.RemoveVolume(Soon(), stale.guest, stale.volume_id)));
  CHECK(absl::IsAborted(provisioner.Ensure(Soon(), stale)));
  CHECK(absl::IsAborted(provisioner.Stop(Soon(), stale.guest)));
  CHECK(absl::IsAborted(provisioner.Start(Soon(), stale.guest)));
  CHECK(absl::IsAborted(provisioner.Resize(Soon(), stale.guest, stale.flavor)));
  CHECK(absl::IsAborted(provisioner.Remove(Soon(), stale.guest)));
  CHECK(host.PresenceOf(guest) == GuestPresence::kRunning);
  CHECK(provisioner.Resize(Soon(), guest.guest, guest.flavor).ok());
}

TEST_CASE("a removed guest leaves no process, whatever became of its keeper",
          "[integration][process]") {
  Host host;
  const GuestSpec guest = host.NewRunningGuest();
  REQUIRE(host.ProcessesOf(guest).size() >= 3);
  const keeper::KeeperClient keeper = host.KeeperOf(guest);
  const auto status = keeper.GetStatus(Soon());
  REQUIRE(status.ok());
  SECTION("it lives") {}
  SECTION("it was killed") {
    REQUIRE(::kill(status->keeper_pid, SIGKILL) == 0);
  }
  SECTION("it is frozen") {
    REQUIRE(::kill(status->keeper_pid, SIGSTOP) == 0);
  }
  SECTION("all of it is frozen") {
    for (const pid_t pid : host.ProcessesOf(guest))
      REQUIRE(::kill(pid, SIGSTOP) == 0);
  }
  SECTION("the guest has made it believe in a newer claim") {
    keeper::ArmDeadlineRequest poison;
    poison.generation = std::numeric_limits<std::uint64_t>::max() / 2;
    REQUIRE(keeper.ArmDeadline(Soon(), poison).ok());
  }
  const absl::Status removed = host.provisioner().Remove(Soon(), guest.guest);
  INFO(removed);
  REQUIRE(removed.ok());
  CHECK(host.IsGone(guest));
  CHECK(host.provisioner().Remove(Soon(), guest.guest).ok());
}

TEST_CASE("a guest that lies to its keeper about claims can still be stopped and started",
          "[integration][process]") {
  Host host;
  const GuestSpec guest = host.NewRunningGuest();
  keeper::ArmDeadlineRequest poison;
  poison.generation = std::numeric_limits<std::uint64_t>::max() / 2;
  REQUIRE(host.KeeperOf(guest).ArmDeadline(Soon(), poison).ok());
  REQUIRE(host.provisioner().Stop(CallFor(absl::Seconds(4)), guest.guest).ok());
  CHECK(host.ProcessesOf(guest).empty());
  const absl::Status started = host.provisioner().Start(Soon(), guest.guest);
  INFO(started);
  CHECK(started.ok());
  CHECK(host.PresenceOf(guest) == GuestPresence::kRunning);
}

TEST_CASE("a guest is kept to the limits of its flavor where the host can",
          "[integration][process]") {
  Host host;
  const GuestSpec guest = host.NewRunningGuest();
  // A host without writable groups is a host without limits, and that is said in the log.
  for (const pid_t pid : host.LimitsAreKept() ? host.ProcessesOf(guest) : std::vector<pid_t>()) {
    const std::string groups = ReadFile("/proc/" + std::to_string(pid) + "/cgroup").value_or("");
    CHECK_THAT(groups, Catch::Contains(guest.guest.guest_id.value()));
    CHECK(host.MemoryLimitOf(guest) == std::int64_t{768} << 20);
  }
  Flavor larger = guest.flavor;
  larger.ram_mib = 2048;
  CHECK(host.provisioner().Resize(Soon(), guest.guest, larger).ok());
  if (host.LimitsAreKept()) CHECK(host.MemoryLimitOf(guest) == std::int64_t{2560} << 20);
  GuestRef nobody = guest.guest;
  nobody.guest_id = host.NewGuest().guest.guest_id;
  CHECK(absl::IsNotFound(host.provisioner().Resize(Soon(), nobody, larger)));
}

TEST_CASE("a guest that was removed does not come back", "[integration][process]") {
  Host host;
  GuestSpec known = host.NewRunningGuest();
  GuestSpec unknown = host.NewGuest();
  for (GuestSpec& guest : {std::ref(known), std::ref(unknown)}) {
    REQUIRE(host.provisioner().Remove(Soon(), guest.guest).ok());
    guest.guest.generation += 10;
    CHECK(absl::IsAborted(host.provisioner().Place(Soon(), guest.guest).status()));
    CHECK(absl::IsAborted(host.provisioner().EnsureVolume(Soon(), Host::VolumeOf(guest))));
    CHECK(absl::IsAborted(host.provisioner().Ensure(Soon(), guest)));
    CHECK_FALSE(host.PresenceOf(guest));
    CHECK(host.provisioner().RemoveVolume(Soon(), guest.guest, guest.volume_id).ok());
    CHECK(host.provisioner().Release(Soon(), guest.guest, guest.place).ok());
  }
}

}  // namespace
}  // namespace trove::taskmanager
