#include "test/integration/process/host.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "libtrove/base/check.h"
#include "libtrove/base/files.h"
#include "libtrove/base/uuid.h"
#include "test/support/eventually.h"

namespace trove::taskmanager {
namespace {

namespace fs = std::filesystem;

// Its children leave the session, so that only the guest's user or name tells whose they are.
constexpr char kAgent[] = R"(#!/bin/sh
if [ "$1" = --build-template ]; then
  echo building
  echo x >> "$(dirname "$0")/builds" 2>/dev/null
  [ ! -e "$(dirname "$0")/broken" ] || { echo "no server here"; exit 3; }
  mkdir "$2/data" && echo pristine > "$2/data/file" && ln -s /etc/passwd "$2/data/link"
  [ -z "$3" ] || echo "$3" > "$2/data/engine"
  exit
fi
dir=$(dirname "$2")
setsid sh -c 'trap "" TERM HUP; while :; do sleep 1; done' "$dir/hidden" &
touch "$dir/state/up"
while :; do sleep 1; done
)";

fs::path ProgramsIn(const fs::path& folder) {
  return folder / "bin";
}

void Must(const absl::Status& status) {
  if (!status.ok()) std::fprintf(stderr, "no test can go on: %s\n", status.ToString().c_str());
  TROVE_CHECK(status.ok());
}

}  // namespace

Call Soon() {
  return CallFor(absl::Seconds(30));
}

Host::Host() : mesh_id_(RandomHex(4)), layout_{folder_ / "data", folder_ / "run"} {
  ::chmod(folder_.path().c_str(), 0711);
  const fs::path programs = ProgramsIn(folder_.path());
  Must(MakeDirectory(programs, 0777));
  Must(MakeDirectory(layout_.data_dir, 0711));
  fs::create_symlink(TROVE_KEEPER_BINARY, programs / "trove-keeper");
  Must(WriteFileAtomically(programs / "trove-agent-fake", kAgent, 0755));
  Must(WriteFileAtomically(programs / "builds", "", 0666));
  provisioner_ = Open();
}

Host::~Host() {
  for (GuestSpec& guest : guests_) {
    guest.guest.generation += 1'000'000;
    Must(provisioner_->Remove(Soon(), guest.guest));
    Must(provisioner_->RemoveVolume(Soon(), guest.guest, guest.volume_id));
    Must(provisioner_->Release(Soon(), guest.guest, guest.place));
  }
  // The last guest took the mesh's groups with it.
  for (const char* root : {"/sys/fs/cgroup/cpu/trove-", "/sys/fs/cgroup/trove-"})
    TROVE_CHECK(!fs::exists(root + mesh_id_));
}

std::unique_ptr<ProcessProvisioner> Host::Open() const {
  ProcessProvisionerOptions options;
  options.mesh_id = mesh_id_;
  options.host = "here";
  options.data_dir = layout_.data_dir;
  options.socket_dir = layout_.socket_dir;
  options.programs = ProgramsIn(folder_.path());
  // The host's own, as other tests run beside this one.
  options.claims_folder = DefaultClaimsFolder();
  auto opened = ProcessProvisioner::Open(std::move(options), Log());
  Must(opened.status());
  return *std::move(opened);
}

GuestSpec Host::NewGuest() {
  GuestSpec guest;
  guest.guest = {GuestId(NewUuid()), InstanceId(NewUuid()), 1};
  guest.volume_id = VolumeId(NewUuid());
  guest.volume_size_gib = 1;
  guest.version.id = VersionId("5f2f0d53-7a52-4c9e-8f5b-6c3f6a0f9d10");
  guest.version.agent = "fake";
  guest.flavor.ram_mib = 512;
  guest.flavor.vcpus = 1;
  guest.mesh = {"127.0.0.1:1", "tls://127.0.0.1:2", "no certificate"};
  guest.enrolment_token = Secret("token");
  guests_.push_back(guest);
  return guest;
}

GuestSpec Host::NewRunningGuest() {
  GuestSpec guest = NewGuest();
  auto place = provisioner_->Place(Soon(), guest.guest);
  Must(place.status());
  guest.place = *std::move(place);
  guests_.back().place = guest.place;
  Must(provisioner_->EnsureVolume(Soon(), VolumeOf(guest)));
  Must(provisioner_->Ensure(Soon(), guest));
  TROVE_CHECK(Eventually(absl::Seconds(20),
                         [&] { return fs::exists(layout_.State(guest.guest.guest_id) / "up"); }));
  return guest;
}

VolumeSpec Host::VolumeOf(const GuestSpec& guest) {
  return {guest.volume_id, guest.guest, guest.volume_size_gib, guest.version, guest.place};
}

std::optional<GuestPresence> Host::PresenceOf(const GuestSpec& guest) const {
  const auto listed = provisioner_->List(Soon());
  Must(listed.status());
  for (const ObservedGuest& each : *listed) {
    if (each.guest.guest_id == guest.guest.guest_id) return each.presence;
  }
  return std::nullopt;
}

std::vector<pid_t> Host::ProcessesOf(const GuestSpec& guest) const {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (!std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; }))
      continue;
    // Empty for one that has ended and was not reaped yet.
    const std::string command = ReadFile(entry.path() / "cmdline").value_or("");
    if (command.empty()) continue;
    struct stat owner {};
    if (::stat(entry.path().c_str(), &owner) != 0) continue;
    const bool by_user =
        guest.place.uid != 0 && owner.st_uid == static_cast<uid_t>(guest.place.uid);
    if (by_user || command.find(guest.guest.guest_id.value()) != std::string::npos)
      found.push_back(std::stoi(name));
  }
  return found;
}

keeper::KeeperClient Host::KeeperOf(const GuestSpec& guest) const {
  return {layout_.KeeperSocket(guest.guest.guest_id), guest.guest.guest_id.value()};
}

std::string Host::ContentOf(const GuestSpec& guest) const {
  return ReadFile(layout_.Volume(guest.volume_id) / "data/file").value_or("(none)");
}

bool Host::IsGone(const GuestSpec& guest) const {
  for (const char* group : {"/sys/fs/cgroup/cpu/", "/sys/fs/cgroup/memory/", "/sys/fs/cgroup/"}) {
    if (fs::exists(fs::path(group) / ("trove-" + mesh_id_) / guest.guest.guest_id.value()))
      return false;
  }
  return ProcessesOf(guest).empty() && !fs::exists(layout_.Guest(guest.guest.guest_id)) &&
         !fs::exists(layout_.Sockets(guest.guest.guest_id)) && fs::is_empty(layout_.Trash());
}

std::int64_t Host::MemoryLimitOf(const GuestSpec& guest) const {
  const fs::path group = fs::path("trove-" + mesh_id_) / guest.guest.guest_id.value();
  for (const fs::path& file : {fs::path("/sys/fs/cgroup/memory") / group / "memory.limit_in_bytes",
                               fs::path("/sys/fs/cgroup") / group / "memory.max"}) {
    const auto text = ReadFile(file);
    if (text.ok()) return std::stoll(*text);
  }
  return 0;
}

int Host::builds() const {
  const std::string text = ReadFile(ProgramsIn(folder_.path()) / "builds").value_or("");
  return static_cast<int>(std::count(text.begin(), text.end(), 'x'));
}

void Host::BreakBuilds(bool broken) {
  const fs::path mark = ProgramsIn(folder_.path()) / "broken";
  Must(broken ? WriteFileAtomically(mark, "", 0644) : RemoveTree(mark));
}

}  // namespace trove::taskmanager
