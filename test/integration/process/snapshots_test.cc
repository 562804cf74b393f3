#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <random>
#include <string>

#include <catch2/catch.hpp>

#include "libtrove/base/files.h"
#include "services/taskmanager/process/tree_copy.h"
#include "services/taskmanager/process/volume_snapshots.h"
#include "test/integration/process/host.h"
#include "test/support/eventually.h"

namespace trove::taskmanager {
namespace {

namespace fs = std::filesystem;

constexpr char kName[] = "before-12345678";

/// A guest whose server does not run, with a volume that has something of everything.
struct Kept {
  Kept() {
    guest = host.NewGuest();
    auto place = host.provisioner().Place(Soon(), guest.guest);
    REQUIRE(place.ok());
    guest.place = *place;
    REQUIRE(host.provisioner().EnsureVolume(Soon(), Host::VolumeOf(guest)).ok());
    Write("data/file", "old");
    Write("data/inner/deep", "deep");
    // A hole of 1 GiB with a word at its end.
    Write("data/sparse", "");
    REQUIRE(::truncate((volume() / "data/sparse").c_str(), 1 << 30) == 0);
  }

  fs::path volume() const { return host.layout().Volume(guest.volume_id); }
  fs::path snapshots() const { return host.layout().Snapshots() / guest.volume_id.value(); }

  void Write(const fs::path& name, const std::string& text) const {
    const fs::path path = volume() / name;
    if (!fs::exists(path.parent_path())) {
      REQUIRE(MakeDirectory(path.parent_path(), 0700).ok());
      Own(path.parent_path());
    }
    REQUIRE(WriteFileAtomically(path, text, 0600).ok());
    Own(path);
  }
  void Own(const fs::path& path) const {
    const auto uid = static_cast<uid_t>(guest.place.uid);
    if (uid != 0) REQUIRE(::lchown(path.c_str(), uid, uid) == 0);
  }
  std::string Read(const fs::path& name) const {
    return ReadFile(volume() / name).value_or("(none)");
  }

  absl::Status Snapshot(const Call& call = Soon()) {
    return host.provisioner().SnapshotVolume(call, guest.guest, guest.volume_id, kName);
  }
  absl::Status Revert(const Call& call = Soon()) {
    return host.provisioner().RevertVolume(call, guest.guest, guest.volume_id, kName);
  }
  absl::Status Remove() {
    return host.provisioner().RemoveSnapshot(Soon(), guest.guest, guest.volume_id, kName);
  }

  Host host;
  GuestSpec guest;
};

std::string Noise(std::size_t bytes) {
  std::mt19937_64 random(42);  // NOLINT: the same each time
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i + 8 <= bytes; i += 8) {
    const std::uint64_t word = random();
    std::copy_n(reinterpret_cast<const char*>(&word), 8, text.data() + i);
  }
  return text;
}

TEST_CASE("a volume becomes what it was when it was kept", "[integration][process]") {
  Kept k;
  CHECK(absl::IsNotFound(k.Revert()));
  CHECK(k.Read("data/file") == "old");
  REQUIRE(k.Snapshot().ok());
  // One that is finished stays as it is.
  k.Write("data/file", "new");
  k.Write("data/more", "more");
  fs::remove(k.volume() / "data/inner/deep");
  REQUIRE(k.Snapshot().ok());

  REQUIRE(k.Revert().ok());
  CHECK(k.Read("data/file") == "old");
  CHECK(k.Read("data/more") == "(none)");
  CHECK(k.Read("data/inner/deep") == "deep");
  CHECK(fs::read_symlink(k.volume() / "data/link") == "/etc/passwd");
  CHECK(fs::file_size(k.volume() / "data/sparse") == std::uintmax_t{1} << 30);
  CHECK(AllocatedBytes(Soon(), k.volume()).value() < 1 << 20);
  struct stat about {};
  for (const char* name : {".", "data", "data/file", "data/link", "data/inner"}) {
    CAPTURE(name);
    REQUIRE(::lstat((k.volume() / name).c_str(), &about) == 0);
    if (k.guest.place.uid != 0) CHECK(about.st_uid == static_cast<uid_t>(k.guest.place.uid));
  }
  CHECK((about.st_mode & 0777) == 0700);
  // Again and again.
  k.Write("data/file", "newer");
  REQUIRE(k.Revert().ok());
  REQUIRE(k.Revert().ok());
  CHECK(k.Read("data/file") == "old");
  CHECK(fs::is_empty(k.host.layout().Trash()));
  REQUIRE(k.Remove().ok());
  CHECK_FALSE(fs::exists(k.snapshots()));
  CHECK(k.Remove().ok());
  CHECK(absl::IsNotFound(k.Revert()));
  CHECK(k.Read("data/file") == "old");
}

TEST_CASE("a volume takes its snapshots with it", "[integration][process]") {
  Kept k;
  REQUIRE(k.Snapshot().ok());
  CHECK(k.host.provisioner().ListVolumes(Soon())->size() == 1);
  REQUIRE(k.host.provisioner().Remove(Soon(), k.guest.guest).ok());
  REQUIRE(k.host.provisioner().RemoveVolume(Soon(), k.guest.guest, k.guest.volume_id).ok());
  CHECK_FALSE(fs::exists(k.snapshots()));
  CHECK(absl::IsAborted(k.Snapshot()));
  CHECK(absl::IsAborted(k.Revert()));
}

TEST_CASE("a copy that its call is too short for goes on in the next one",
          "[integration][process]") {
  Kept k;
  const std::string noise = Noise(std::size_t{160} << 20);
  const int fd = ::open((k.volume() / "data/large").c_str(), O_CREAT | O_WRONLY, 0600);
  REQUIRE(fd >= 0);
  REQUIRE(::write(fd, noise.data(), noise.size()) == static_cast<ssize_t>(noise.size()));
  ::close(fd);
  k.Own(k.volume() / "data/large");
  int pieces = 1;
  absl::Status kept = k.Snapshot(CallFor(absl::Milliseconds(15)));
  while (absl::IsDeadlineExceeded(kept) && pieces < 1000) {
    ++pieces;
    kept = k.Snapshot(CallFor(absl::Milliseconds(15)));
  }
  INFO(kept);
  REQUIRE(kept.ok());
  CHECK((CanShareSpace(k.volume()) || pieces > 1));
  k.Write("data/large", "small");
  pieces = 1;
  absl::Status reverted = k.Revert(CallFor(absl::Milliseconds(15)));
  while (absl::IsDeadlineExceeded(reverted) && pieces < 1000) {
    // Not half of it: all or nothing.
    REQUIRE(k.Read("data/large") == "small");
    ++pieces;
    reverted = k.Revert(CallFor(absl::Milliseconds(15)));
  }
  REQUIRE(reverted.ok());
  const auto large = ReadFile(k.volume() / "data/large", noise.size());
  REQUIRE(large.ok());
  CHECK((*large == noise));
}

TEST_CASE("copies that are killed in the middle are completed by repeating",
          "[integration][process]") {
  Kept k;
  for (int i = 0; i < 300; ++i)
    k.Write("data/t" + std::to_string(i), std::string(20'000, 'a'));
  const auto in_child = [&](const std::function<void()>& work, int micros) {
    const pid_t child = ::fork();
    if (child == 0) {
      work();
      ::_exit(0);
    }
    REQUIRE(child > 0);
    ::usleep(static_cast<useconds_t>(micros));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    return !WIFEXITED(status);
  };
  int killed = 0;
  for (int i = 0; i < 12; ++i)
    killed += in_child([&] { k.Snapshot().IgnoreError(); }, 500 + i * 700) ? 1 : 0;
  REQUIRE(k.Snapshot().ok());
  for (int i = 0; i < 300; ++i)
    k.Write("data/t" + std::to_string(i), "b");
  for (int i = 0; i < 25; ++i) {
    killed += in_child([&] { k.Revert().IgnoreError(); }, 500 + i * 900) ? 1 : 0;
    // Whole at every moment.
    const bool old = k.Read("data/t0") != "b";
    for (const int each : {1, 150, 299})
      CHECK((k.Read("data/t" + std::to_string(each)) != "b") == old);
    if (old) k.Write("data/t0", "b");
    for (const int each : {1, 150, 299})
      if (old) k.Write("data/t" + std::to_string(each), "b");
  }
  CHECK(killed > 0);
  REQUIRE(k.Revert().ok());
  for (int i = 0; i < 300; ++i)
    REQUIRE(k.Read("data/t" + std::to_string(i)) == std::string(20'000, 'a'));
  REQUIRE(k.Remove().ok());
  CHECK_FALSE(fs::exists(k.snapshots()));
}

TEST_CASE("nothing but the guest's own is copied, whatever it lays in the way",
          "[integration][process]") {
  Kept k;
  SECTION("a folder that is a link") {
    fs::create_directory_symlink("/etc", k.volume() / "data/etc");
    REQUIRE(k.Snapshot().ok());
    CHECK(fs::is_symlink(k.snapshots() / kName / "data/etc"));
  }
  SECTION("the volume's own name") {
    fs::rename(k.volume(), k.volume().string() + "-moved");
    fs::create_directory_symlink("/etc", k.volume());
    CHECK_FALSE(k.Snapshot().ok());
    fs::remove(k.volume());
    fs::rename(k.volume().string() + "-moved", k.volume());
  }
  SECTION("a pipe") {
    REQUIRE(::mkfifo((k.volume() / "data/pipe").c_str(), 0600) == 0);
    REQUIRE(k.Snapshot().ok());
    CHECK_FALSE(fs::exists(k.snapshots() / kName / "data/pipe"));
  }
  SECTION("a name of somebody else's file") {
    if (k.guest.place.uid == 0) return;
    const fs::path secret = k.host.layout().data_dir / "secret";
    REQUIRE(WriteFileAtomically(secret, "secret", 0600).ok());
    fs::create_hard_link(secret, k.volume() / "data/mine");
    const absl::Status refused = k.Snapshot();
    CHECK(absl::IsFailedPrecondition(refused));
    CHECK_THAT(std::string(refused.message()), Catch::Contains("data/mine"));
  }
  SECTION("bits that make it somebody") {
    REQUIRE(::chmod((k.volume() / "data/file").c_str(), 04755) == 0);
    REQUIRE(k.Snapshot().ok());
    struct stat about {};
    REQUIRE(::stat((k.snapshots() / kName / "data/file").c_str(), &about) == 0);
    CHECK((about.st_mode & 07777) == 0755);
  }
  CHECK(absl::IsInvalidArgument(
      k.host.provisioner().SnapshotVolume(Soon(), k.guest.guest, k.guest.volume_id, "../x")));
}

TEST_CASE("a copy that finds no room says how much it needs", "[integration][process]") {
  const TemporaryDirectory folder;
  if (::mount("trove-test", folder.path().c_str(), "tmpfs", 0, "size=200m") != 0) {
    WARN("no small disk can be made here");
    return;
  }
  {
    const fs::path volume = folder / "volume";
    REQUIRE(MakeDirectory(volume, 0700).ok());
    REQUIRE(
        WriteFileAtomically(volume / "data", std::string(std::size_t{100} << 20, 'x'), 0600).ok());
    const auto snapshots = VolumeSnapshots::Open(folder / "snapshots", 2);
    REQUIRE(snapshots.ok());
    const VolumeId id("11111111-2222-4333-8444-555555555555");
    const absl::Status refused = snapshots->Keep(Soon(), volume, id, kName, 0);
    CHECK(absl::IsResourceExhausted(refused));
    CHECK_THAT(std::string(refused.message()), Catch::Contains("takes 0.10 GiB"));
    CHECK_THAT(std::string(refused.message()), Catch::Contains("0.10 GiB are free"));
  }
  CHECK(::umount2(folder.path().c_str(), MNT_DETACH) == 0);
}

TEST_CASE("a guest that is reset keeps its data and its place, and is made anew",
          "[integration][process]") {
  Host host;
  GuestSpec guest = host.NewRunningGuest();
  REQUIRE(host.ProcessesOf(guest).size() >= 3);
  REQUIRE(
      WriteFileAtomically(host.layout().Volume(guest.volume_id) / "data/file", "mine", 0644).ok());
  REQUIRE(WriteFileAtomically(host.layout().State(guest.guest.guest_id) / "key", "k", 0600).ok());
  guest.guest.generation = 5;
  REQUIRE(host.provisioner().Reset(Soon(), guest.guest).ok());
  CHECK(host.ProcessesOf(guest).empty());
  CHECK_FALSE(fs::exists(host.layout().Guest(guest.guest.guest_id)));
  CHECK(host.ContentOf(guest) == "mine");
  CHECK(host.provisioner().Reset(Soon(), guest.guest).ok());
  CHECK(*host.provisioner().Place(Soon(), guest.guest) == guest.place);

  // A late spawn of who has lost the guest.
  GuestSpec late = guest;
  late.guest.generation = 4;
  CHECK(absl::IsAborted(host.provisioner().Ensure(Soon(), late)));
  CHECK(absl::IsAborted(host.provisioner().Reset(Soon(), late.guest)));
  CHECK(absl::IsAborted(
      host.provisioner().SnapshotVolume(Soon(), late.guest, guest.volume_id, kName)));
  CHECK(
      absl::IsAborted(host.provisioner().RevertVolume(Soon(), late.guest, guest.volume_id, kName)));
  CHECK(absl::IsAborted(
      host.provisioner().RemoveSnapshot(Soon(), late.guest, guest.volume_id, kName)));
  CHECK(host.ProcessesOf(guest).empty());

  REQUIRE(host.provisioner().Ensure(Soon(), guest).ok());
  CHECK(Eventually(absl::Seconds(20),
                   [&] { return fs::exists(host.layout().State(guest.guest.guest_id) / "up"); }));
  CHECK(host.PresenceOf(guest) == GuestPresence::kRunning);
  CHECK_FALSE(fs::exists(host.layout().State(guest.guest.guest_id) / "key"));
  CHECK(host.ContentOf(guest) == "mine");
}

TEST_CASE("a version is built by its own engine", "[integration][process]") {
  Host host;
  GuestSpec guest = host.NewGuest();
  guest.version.engine = "/opt/fake-2";
  guest.version.id = VersionId("7c1f0d53-7a52-4c9e-8f5b-6c3f6a0f9d11");
  guest.place = *host.provisioner().Place(Soon(), guest.guest);
  REQUIRE(host.provisioner().EnsureVolume(Soon(), Host::VolumeOf(guest)).ok());
  CHECK(ReadFile(host.layout().Volume(guest.volume_id) / "data/engine").value_or("") ==
        "/opt/fake-2\n");
}

}  // namespace
}  // namespace trove::taskmanager
