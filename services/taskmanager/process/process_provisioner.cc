#include "services/taskmanager/process/process_provisioner.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <system_error>
#include <utility>

#include "libtrove/agent/agent_config.h"
#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/unique_fd.h"
#include "libtrove/base/uuid.h"
#include "libtrove/model/errors.h"
#include "services/taskmanager/process/user_processes.h"
#include "services/taskmanager/process/volume_quota.h"

namespace trove::taskmanager {
namespace {

namespace fs = std::filesystem;

// A socket's path is at most 107 bytes; the longest name below a guest's folder is keeper.sock.
constexpr std::size_t kMostSocketDir = 107 - sizeof("/12345678/keeper.sock");
constexpr absl::Duration kMargin = absl::Seconds(2);  // kept back for what follows a grace period
// A keeper answers from memory. One that does not is frozen, or its guest keeps it busy.
constexpr absl::Duration kAnswerLimit = absl::Seconds(2);
constexpr absl::Duration kListLimit = absl::Milliseconds(200);  // of each guest in a list
constexpr int kPollMs = 10;
// Of whole volumes at a time: more would only make each one slower.
constexpr int kMostCopies = 2;

bool IsRoot() {
  return ::geteuid() == 0;
}

absl::Status Stale(const GuestRef& guest, const std::string& why) {
  return MakeError(Reason::kStaleOwner, "guest " + guest.guest_id.value() + ": " + why);
}

absl::Status MakeOwned(const fs::path& path, mode_t mode, int uid) {
  TROVE_RETURN_IF_ERROR(MakeDirectory(path, mode));
  if (uid == 0) return absl::OkStatus();
  if (::chown(path.c_str(), static_cast<uid_t>(uid), static_cast<gid_t>(uid)) == 0) {
    return absl::OkStatus();
  }
  return ErrnoStatus(errno, "chown " + path.string());
}

}  // namespace

absl::StatusOr<std::unique_ptr<ProcessProvisioner>> ProcessProvisioner::Open(
    ProcessProvisionerOptions options, Log log) {
  if (options.socket_dir.string().size() > kMostSocketDir) {
    return absl::FailedPreconditionError("the folder for sockets must have at most " +
                                         std::to_string(kMostSocketDir) +
                                         " characters: " + options.socket_dir.string());
  }
  const Programs programs{options.programs};
  if (::access(programs.Keeper().c_str(), X_OK) != 0) {
    return absl::FailedPreconditionError("there is no " + programs.Keeper().string());
  }
  const ProcessLayout layout{options.data_dir, options.socket_dir};
  // Guests enter those that hold folders of their own, and none of the others.
  for (const fs::path& folder : {layout.Volumes(), layout.Guests(), layout.socket_dir}) {
    TROVE_RETURN_IF_ERROR(MakeDirectory(folder, 0711));
  }
  for (const fs::path& folder : {layout.Templates(), layout.Trash()}) {
    TROVE_RETURN_IF_ERROR(MakeDirectory(folder, 0700));
  }
  TROVE_ASSIGN_OR_RETURN(Claims claims, Claims::Open(options.claims_folder, options.mesh_id));
  TROVE_ASSIGN_OR_RETURN(GuestRecords records, GuestRecords::Open(layout.Records()));
  TROVE_ASSIGN_OR_RETURN(VolumeSnapshots snapshots,
                         VolumeSnapshots::Open(layout.Snapshots(), kMostCopies));
  TROVE_ASSIGN_OR_RETURN(auto keepers, KeeperWatch::Start());
  return std::unique_ptr<ProcessProvisioner>(new ProcessProvisioner(std::move(options),
                                                                    std::move(claims),
                                                                    std::move(records),
                                                                    std::move(snapshots),
                                                                    std::move(keepers),
                                                                    std::move(log)));
}

ProcessProvisioner::ProcessProvisioner(ProcessProvisionerOptions options,
                                       Claims claims,
                                       GuestRecords records,
                                       VolumeSnapshots snapshots,
                                       std::unique_ptr<KeeperWatch> keepers,
                                       Log log)
    : options_(std::move(options)),
      layout_{options_.data_dir, options_.socket_dir},
      programs_{options_.programs},
      claims_(std::move(claims)),
      records_(std::move(records)),
      snapshots_(std::move(snapshots)),
      cgroups_(Cgroups::Detect(options_.mesh_id)),
      templates_(layout_, programs_, IsRoot() ? options_.uids.first : 0),
      log_(std::move(log)),
      keepers_(std::move(keepers)) {
  log_.Info("limits of guests", {{"cgroups", cgroups_.available()}});
}

absl::Status ProcessProvisioner::PrepareTemplates(const Call& call,
                                                  const std::vector<DatastoreVersion>& versions) {
  absl::Status first;
  for (const DatastoreVersion& version : versions)
    first.Update(templates_.Ensure(call, version));
  return first;
}

absl::StatusOr<ProcessProvisioner::Held> ProcessProvisioner::Hold(const Call& call,
                                                                  const GuestRef& guest) const {
  if (!IsUuid(guest.guest_id.value())) return absl::InvalidArgumentError("a guest id is a UUID");
  TROVE_ASSIGN_OR_RETURN(GuestRecords::Hold hold, records_.Lock(call, guest.guest_id));
  TROVE_ASSIGN_OR_RETURN(GuestRecord record, records_.Get(guest.guest_id));
  if (guest.generation < record.generation) {
    return Stale(guest,
                 "generation " + std::to_string(guest.generation) + " is older than " +
                     std::to_string(record.generation));
  }
  if (guest.generation > record.generation || record.instance_id.empty()) {
    record.generation = guest.generation;
    record.instance_id = guest.instance_id.value();
    TROVE_RETURN_IF_ERROR(records_.Put(guest.guest_id, record));
  }
  return Held{std::move(hold), std::move(record)};
}

bool ProcessProvisioner::IsFree(int port) const {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int reuse = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  inet_pton(AF_INET, options_.address.c_str(), &address.sin_addr);
  return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
}

absl::StatusOr<int> ProcessProvisioner::ClaimNumber(const std::string& kind,
                                                    const NumberRange& range,
                                                    int wanted,
                                                    const GuestId& guest) const {
  if (wanted != 0) {
    TROVE_ASSIGN_OR_RETURN(const bool ours, claims_.Take(kind, wanted, guest.value()));
    if (ours) return wanted;
  }
  const int count = range.last - range.first + 1;
  // Begins anywhere, so that a number just given back is not the next one taken.
  const auto begin =
      static_cast<int>(std::hash<std::string>()(guest.value()) % static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const int number = range.first + (begin + i) % count;
    if (kind == "port" && !IsFree(number)) continue;
    TROVE_ASSIGN_OR_RETURN(const bool ours, claims_.Take(kind, number, guest.value()));
    if (ours) return number;
  }
  return absl::ResourceExhaustedError("this host has no free " + kind + " from " +
                                      std::to_string(range.first) + " to " +
                                      std::to_string(range.last));
}

GuestPlace ProcessProvisioner::PlaceOf(const GuestId& guest, const GuestRecord& record) const {
  return {.placement = placement_prefix(),
          .control_endpoint = "unix:" + layout_.AgentSocket(guest).string(),
          .uid = record.uid,
          .address = options_.address,
          .port = record.port};
}

absl::StatusOr<GuestPlace> ProcessProvisioner::Place(const Call& call, const GuestRef& guest) {
  TROVE_ASSIGN_OR_RETURN(Held held, Hold(call, guest));
  if (held.record.buried) return Stale(guest, "it was removed for good");
  TROVE_ASSIGN_OR_RETURN(held.record.port,
                         ClaimNumber("port", options_.ports, held.record.port, guest.guest_id));
  if (IsRoot()) {
    const NumberRange uids{options_.uids.first + 1, options_.uids.last};
    TROVE_ASSIGN_OR_RETURN(held.record.uid,
                           ClaimNumber("uid", uids, held.record.uid, guest.guest_id));
  }
  TROVE_RETURN_IF_ERROR(records_.Put(guest.guest_id, held.record));
  return PlaceOf(guest.guest_id, held.record);
}

absl::Status ProcessProvisioner::Reclaim(const Call& call,
                                         const GuestRef& guest,
                                         const GuestPlace& place) {
  TROVE_ASSIGN_OR_RETURN(Held held, Hold(call, guest));
  const std::pair<const char*, int> numbers[] = {{"port", place.port}, {"uid", place.uid}};
  for (const auto& [kind, number] : numbers) {
    if (number == 0) continue;
    TROVE_ASSIGN_OR_RETURN(const bool ours, claims_.Take(kind, number, guest.guest_id.value()));
    if (!ours) {
      return absl::AlreadyExistsError(std::string(kind) + " " + std::to_string(number) +
                                      " of guest " + guest.guest_id.value() +
                                      " has been taken by another one on this host");
    }
  }
  held.record.port = place.port;
  held.record.uid = place.uid;
  return records_.Put(guest.guest_id, held.record);
}

absl::Status ProcessProvisioner::Release(const Call& call,
                                         const GuestRef& guest,
                                         const GuestPlace& place) {
  TROVE_ASSIGN_OR_RETURN(Held held, Hold(call, guest));
  // What Place claimed counts also when it was never stored.
  for (const int port : {place.port, held.record.port}) {
    if (port != 0) TROVE_RETURN_IF_ERROR(claims_.Return("port", port, guest.guest_id.value()));
  }
  for (const int uid : {place.uid, held.record.uid}) {
    if (uid != 0) TROVE_RETURN_IF_ERROR(claims_.Return("uid", uid, guest.guest_id.value()));
  }
  held.record.port = 0;
  held.record.uid = 0;
  return records_.Put(guest.guest_id, held.record);
}

// Where the file system keeps volumes to their size; elsewhere the agent watches it.
absl::Status ProcessProvisioner::LimitVolume(const VolumeSpec& spec) const {
  if (spec.place.uid == 0) return absl::OkStatus();
  return LimitProject(layout_.Volumes(),
                      static_cast<std::uint32_t>(spec.place.uid),
                      std::int64_t{spec.size_gib} << 30)
      .status();
}

absl::Status ProcessProvisioner::EnsureVolume(const Call& call, const VolumeSpec& spec) {
  TROVE_ASSIGN_OR_RETURN(const Held held, Hold(call, spec.guest));
  if (held.record.buried) return Stale(spec.guest, "it was removed for good");
  const fs::path volume = layout_.Volume(spec.volume_id);
  std::error_code error;
  if (fs::exists(volume, error)) return LimitVolume(spec);
  TROVE_RETURN_IF_ERROR(templates_.Ensure(call, spec.version));
  const fs::path beside = layout_.Volumes() / (".new-" + spec.volume_id.value());
  TROVE_RETURN_IF_ERROR(RemoveTree(beside));
  absl::Status made = CopyTree(layout_.Template(spec.version.id), beside, spec.place.uid);
  if (made.ok()) made = MakeOwned(beside, 0700, spec.place.uid);
  if (made.ok() && spec.place.uid != 0)
    made = JoinProject(beside, static_cast<std::uint32_t>(spec.place.uid)).status();
  if (made.ok()) made = LimitVolume(spec);
  if (made.ok()) {
    fs::rename(beside, volume, error);
    if (error) made = ErrnoStatus(error.value(), "move the volume into place");
  }
  if (!made.ok()) RemoveTree(beside).IgnoreError();  // the first error says more
  return made;
}

absl::Status ProcessProvisioner::Discard(const fs::path& path) const {
  std::error_code error;
  const fs::path trash = layout_.Trash() / (path.filename().string() + "-" + RandomHex(4));
  fs::rename(path, trash, error);
  if (error == std::errc::no_such_file_or_directory) return absl::OkStatus();
  if (error) return ErrnoStatus(error.value(), "move " + path.string() + " to the trash");
  return RemoveTree(trash);
}

absl::Status ProcessProvisioner::RemoveVolume(const Call& call,
                                              const GuestRef& guest,
                                              const VolumeId& volume) {
  TROVE_ASSIGN_OR_RETURN(const Held held, Hold(call, guest));
  TROVE_RETURN_IF_ERROR(RemoveTree(layout_.Volumes() / (".new-" + volume.value())));
  const auto discard = [this](const fs::path& tree) {
    return Discard(tree);
  };
  TROVE_RETURN_IF_ERROR(snapshots_.RemoveAll(volume, discard));
  TROVE_RETURN_IF_ERROR(Discard(layout_.Volume(volume)));
  if (held.record.uid == 0) return absl::OkStatus();
  return LimitProject(layout_.Volumes(), static_cast<std::uint32_t>(held.record.uid), 0).status();
}

absl::Status ProcessProvisioner::WriteForGuest(const fs::path& path,
                                               const std::string& text,
                                               int uid) const {
  TROVE_RETURN_IF_ERROR(WriteFileAtomically(path, text, uid == 0 ? 0600 : 0640));
  if (uid == 0) return absl::OkStatus();
  if (::chown(path.c_str(), 0, static_cast<gid_t>(uid)) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, "chown " + path.string());
}

absl::StatusOr<keeper::Spec> ProcessProvisioner::KeeperSpecOf(const GuestSpec& spec) const {
  const GuestId& guest = spec.guest.guest_id;
  keeper::Spec keeper;
  keeper.guest_id = guest.value();
  keeper.mesh_id = options_.mesh_id;
  keeper.generation = static_cast<std::uint64_t>(spec.guest.generation);
  keeper.guest_dir = layout_.State(guest);
  keeper.socket = layout_.KeeperSocket(guest);
  keeper.uid = static_cast<uid_t>(spec.place.uid);
  keeper.gid = static_cast<gid_t>(spec.place.uid);
  TROVE_ASSIGN_OR_RETURN(
      keeper.cgroups,
      cgroups_.Ensure(guest.value(),
                      {.memory_mib = spec.flavor.ram_mib, .vcpus = spec.flavor.vcpus}));
  keeper.log = layout_.State(guest) / "keeper.log";
  keeper.agent.argv = {programs_.Agent(spec.version.agent), "--config", layout_.AgentConfig(guest)};
  keeper.agent.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  keeper.agent.output = layout_.State(guest) / "agent.log";
  return keeper;
}

absl::Status ProcessProvisioner::MakeGuestFiles(const GuestSpec& spec) const {
  const GuestId& guest = spec.guest.guest_id;
  const int uid = spec.place.uid;
  TROVE_RETURN_IF_ERROR(MakeDirectory(layout_.Guest(guest), uid == 0 ? 0700 : 0711));
  TROVE_RETURN_IF_ERROR(MakeOwned(layout_.State(guest), 0700, uid));
  TROVE_RETURN_IF_ERROR(MakeOwned(layout_.Sockets(guest), 0700, uid));
  const agent::AgentConfig config{.guest_id = guest.value(),
                                  .mesh_id = options_.mesh_id,
                                  .guest_dir = layout_.State(guest),
                                  .volume_dir = layout_.Volume(spec.volume_id),
                                  .socket_dir = layout_.Sockets(guest),
                                  .conductor_enrol_address = spec.mesh.conductor_enrol_address,
                                  .nats_url = spec.mesh.nats_url,
                                  .mesh_ca = layout_.MeshCa(guest),
                                  .enrolment_token = layout_.Token(guest),
                                  .volume_size_gib = spec.volume_size_gib,
                                  .heartbeat_interval_ms = options_.heartbeat_interval_ms,
                                  .log_level = options_.log_level};
  const std::string settings = agent::AgentConfigYaml(config);
  const absl::StatusOr<std::string> before = ReadFile(layout_.AgentConfig(guest));
  // Noted before the change, so that a crash in between does not lose it.
  if (before.ok() && *before != settings)
    TROVE_RETURN_IF_ERROR(WriteFileAtomically(layout_.OldAgentMark(guest), "", 0600));
  TROVE_RETURN_IF_ERROR(WriteForGuest(layout_.AgentConfig(guest), settings, uid));
  TROVE_RETURN_IF_ERROR(WriteForGuest(layout_.MeshCa(guest), spec.mesh.mesh_ca_pem, uid));
  if (!spec.enrolment_token.empty()) {
    TROVE_RETURN_IF_ERROR(WriteForGuest(layout_.Token(guest), spec.enrolment_token.Reveal(), uid));
  }
  TROVE_ASSIGN_OR_RETURN(const keeper::Spec keeper, KeeperSpecOf(spec));
  return WriteForGuest(layout_.KeeperSpec(guest), keeper::EncodeSpec(keeper), uid);
}

keeper::KeeperClient ProcessProvisioner::KeeperOf(const GuestId& guest) const {
  return {layout_.KeeperSocket(guest), guest.value()};
}

// Starts the keeper unless it runs, and returns when it answers.
absl::Status ProcessProvisioner::StartKeeperOf(const Call& call,
                                               const GuestRef& guest,
                                               int uid) const {
  const fs::path path = layout_.KeeperSpec(guest.guest_id);
  while (true) {
    const auto status = KeeperOf(guest.guest_id).GetStatus(call.Within(kAnswerLimit));
    if (status.ok() && !status->stopping) {
      WatchKeeper(guest.guest_id, status->keeper_pid);
      return absl::OkStatus();
    }
    if (absl::IsDeadlineExceeded(status.status())) {
      TROVE_RETURN_IF_ERROR(call.Check());
      return absl::UnavailableError("the keeper of guest " + guest.guest_id.value() +
                                    " does not answer");
    }
    TROVE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
    keeper::Parsed<keeper::Spec> spec = keeper::ParseSpec(text);
    if (!spec.value) return absl::InternalError(path.string() + ": " + spec.error);
    spec.value->generation = static_cast<std::uint64_t>(guest.generation);
    TROVE_RETURN_IF_ERROR(WriteForGuest(path, keeper::EncodeSpec(*spec.value), uid));
    absl::Status started = keeper::StartKeeper(call, programs_.Keeper(), path);
    if (absl::IsAborted(started)) {
      // Our record, out of the guest's reach, says that the claim is good. The guest's own memory
      // is wrong, and harms nobody else.
      spec.value->generation = 0;
      TROVE_RETURN_IF_ERROR(WriteForGuest(path, keeper::EncodeSpec(*spec.value), uid));
      started = keeper::StartKeeper(call, programs_.Keeper(), path);
    }
    // Another one still holds the guest: it is coming up, or going.
    if (!started.ok() && !absl::IsAlreadyExists(started)) return started;
    if (started.ok()) continue;  // its status says which process it is
    TROVE_RETURN_IF_ERROR(Annotate(call.Check(), MessageOf(started)));
    ::poll(nullptr, 0, kPollMs);
  }
}

absl::Status ProcessProvisioner::Ensure(const Call& call, const GuestSpec& spec) {
  TROVE_ASSIGN_OR_RETURN(const Held held, Hold(call, spec.guest));
  if (held.record.buried) return Stale(spec.guest, "it was removed for good");
  std::error_code error;
  if (!fs::exists(layout_.Volume(spec.volume_id), error)) {
    return absl::FailedPreconditionError("volume " + spec.volume_id.value() + " is missing");
  }
  TROVE_RETURN_IF_ERROR(MakeGuestFiles(spec));
  TROVE_RETURN_IF_ERROR(RemoveTree(layout_.StoppedMark(spec.guest.guest_id)));
  TROVE_RETURN_IF_ERROR(StartKeeperOf(call, spec.guest, spec.place.uid));
  return ReplaceOldAgent(call, spec.guest);
}

// An agent that was started with other settings than its files say now is started anew; the
// server runs on.
absl::Status ProcessProvisioner::ReplaceOldAgent(const Call& call, const GuestRef& guest) const {
  const fs::path mark = layout_.OldAgentMark(guest.guest_id);
  std::error_code error;
  if (!fs::exists(mark, error)) return absl::OkStatus();
  TROVE_ASSIGN_OR_RETURN(const std::string text, ReadFile(layout_.KeeperSpec(guest.guest_id)));
  const keeper::Parsed<keeper::Spec> spec = keeper::ParseSpec(text);
  if (!spec.value) return absl::InternalError("the keeper's spec: " + spec.error);
  keeper::ReplaceAgentRequest request;
  request.generation = static_cast<std::uint64_t>(guest.generation);
  request.agent = spec.value->agent;
  const absl::Status replaced = KeeperOf(guest.guest_id).ReplaceAgent(call, request).status();
  TROVE_RETURN_IF_ERROR(replaced);
  log_.Info("replaced an agent with old settings", {{"guest", guest.guest_id.value()}});
  return RemoveTree(mark);
}

// Lets the keeper stop server and agent as they like to be stopped. What fails here is ended by
// force afterwards.
absl::Status ProcessProvisioner::StopInOrder(const Call& call,
                                             const GuestRef& guest,
                                             int uid) const {
  // A keeper that was killed may have left agent and server behind: a new one finds them.
  TROVE_RETURN_IF_ERROR(StartKeeperOf(call, guest, uid));
  const keeper::KeeperClient keeper = KeeperOf(guest.guest_id);
  TROVE_ASSIGN_OR_RETURN(const keeper::KeeperStatus status,
                         keeper.GetStatus(call.Within(kAnswerLimit)));
  keeper::StopAllRequest request;
  // The caller's claim is good by our record, whatever the guest has made its keeper believe.
  request.generation = std::max(status.generation, static_cast<std::uint64_t>(guest.generation));
  request.grace =
      absl::ToChronoMilliseconds(std::max(absl::ZeroDuration(), call.Remaining() - kMargin));
  return keeper.StopAll(call, request).status();
}

absl::Status ProcessProvisioner::EndProcesses(const Call& call,
                                              const GuestId& guest,
                                              const GuestRecord& record) const {
  if (record.uid != 0) {
    // After a reboot the number may have become somebody else's.
    TROVE_ASSIGN_OR_RETURN(const bool ours, claims_.Take("uid", record.uid, guest.value()));
    if (ours) TROVE_RETURN_IF_ERROR(EndProcessesOfUser(call, record.uid));
    // A keeper that has not yet become that user.
    return EndProcessesNaming(call, layout_.KeeperSpec(guest));
  }
  return EndProcessesNaming(call, layout_.Guest(guest).string() + "/");
}

absl::Status ProcessProvisioner::Stop(const Call& call, const GuestRef& guest) {
  TROVE_ASSIGN_OR_RETURN(const Held held, Hold(call, guest));
  std::error_code error;
  if (!fs::exists(layout_.KeeperSpec(guest.guest_id), error)) return absl::OkStatus();
  if (!fs::exists(layout_.StoppedMark(guest.guest_id), error)) {
    const Call orderly{call.deadline - kMargin / 2, call.stop, call.request_id};
    const absl::Status stopped = StopInOrder(orderly, guest, held.record.uid);
    if (!stopped.ok()) {
      log_.Warning("a guest is stopped by force",
                   {{"guest", guest.guest_id.value()}, {"error", stopped}});
    }
  }
  // What the keeper ended in order left nothing, unless a guest's user made it.
  TROVE_RETURN_IF_ERROR(EndProcesses(call, guest.guest_id, held.record));
  return WriteFileAtomically(layout_.StoppedMark(guest.guest_id), "", 0600);
}

absl::Status ProcessProvisioner::Start(const Call& call, const GuestRef& guest) {
  TROVE_ASSIGN_OR_RETURN(const Held held, Hold(call, guest));
  std::error_code error;
  if (!fs::exists(layout_.KeeperSpec(guest.guest_id), error)) {
    return absl::NotFoundError("guest " + guest.guest_id.value() + " is not on this host");
  }
  TROVE_RETURN_IF_ERROR(RemoveTree(layout_.StoppedMark(guest.guest_id)));
  return StartKeeperOf(call, guest, held.record.uid);
}

absl::Status ProcessProvisioner::Resize(const Call& call,
                                        const GuestRef& guest,
                                        const Flavor& flavor) {
  TROVE_ASSIGN_OR_RETURN(const Held held, Hold(call, guest));
  std::error_code error;
  if (!fs::exists(layout_.Guest(guest.guest_id), error)) {
    return absl::NotFoundError("guest " + guest.guest_id.value() + " is not on this host");
  }
  return cgroups_
      .Ensure(guest.guest_id.value(), {.memory_mib = flavor.ram_mib, .vcpus = flavor.vcpus})
      .status();
}

absl::Status ProcessProvisioner::SnapshotVolume(const Call& call,
                                                const GuestRef& guest,
                                                const VolumeId& volume,
                                                const std::string& name) {
  TROVE_ASSIGN_OR_RETURN(const Held held, Hold(call, guest));
  if (held.record.buried) return Stale(guest, "it was removed for good");
  return Annotate(snapshots_.Keep(call, layout_.Volume(volume), volume, name, held.record.uid),
                  "keep the data of volume " + volume.value() + " aside");
}

absl::Status ProcessProvisioner::RevertVolume(const Call& call,
                                              const GuestRef& guest,
                                              const VolumeId& volume,
                                              const std::string& name) {
  TROVE_ASSIGN_OR_RETURN(const Held held, Hold(call, guest));
  if (held.record.buried) return Stale(guest, "it was removed for good");
  const int uid = held.record.uid;
  return Annotate(snapshots_.Revert(
                      call,
                      layout_.Volume(volume),
                      volume,
                      name,
                      uid,
                      [uid](const fs::path& tree) {
                        if (uid == 0) return absl::OkStatus();
                        return JoinProject(tree, static_cast<std::uint32_t>(uid)).status();
                      },
                      [this](const fs::path& tree) { return Discard(tree); }),
                  "put the data of volume " + volume.value() + " back");
}

absl::Status ProcessProvisioner::RemoveSnapshot(const Call& call,
                                                const GuestRef& guest,
                                                const VolumeId& volume,
                                                const std::string& name) {
  TROVE_ASSIGN_OR_RETURN(const Held held, Hold(call, guest));
  return snapshots_.Remove(volume, name, [this](const fs::path& tree) { return Discard(tree); });
}

absl::Status ProcessProvisioner::Reset(const Call& call, const GuestRef& guest) {
  TROVE_ASSIGN_OR_RETURN(const Held held, Hold(call, guest));
  if (held.record.buried) return Stale(guest, "it was removed for good");
  return RemoveGuest(call, guest.guest_id, held.record);
}

// By force: nobody wants these processes any more, and nothing of the guest is asked.
absl::Status ProcessProvisioner::RemoveGuest(const Call& call,
                                             const GuestId& guest,
                                             const GuestRecord& record) const {
  TROVE_RETURN_IF_ERROR(EndProcesses(call, guest, record));
  TROVE_RETURN_IF_ERROR(Discard(layout_.Guest(guest)));
  TROVE_RETURN_IF_ERROR(cgroups_.Remove(call, guest.value()));
  return RemoveTree(layout_.Sockets(guest));
}

absl::Status ProcessProvisioner::Remove(const Call& call, const GuestRef& guest) {
  TROVE_ASSIGN_OR_RETURN(Held held, Hold(call, guest));
  // First of all, so that no late Ensure brings it back while it goes.
  held.record.buried = true;
  TROVE_RETURN_IF_ERROR(records_.Put(guest.guest_id, held.record));
  return RemoveGuest(call, guest.guest_id, held.record);
}

absl::StatusOr<std::vector<ObservedGuest>> ProcessProvisioner::List(const Call& call) {
  TROVE_ASSIGN_OR_RETURN(const std::vector<GuestId> known, records_.List());
  std::vector<ObservedGuest> observed;
  std::error_code error;
  for (const GuestId& guest : known) {
    TROVE_RETURN_IF_ERROR(call.Check());
    TROVE_ASSIGN_OR_RETURN(const GuestRecord record, records_.Get(guest));
    const bool placed = !record.buried && record.port != 0;
    if (!placed && !fs::exists(layout_.Guest(guest), error)) continue;
    ObservedGuest& found = observed.emplace_back();
    found.guest = {guest, InstanceId(record.instance_id), record.generation};
    const auto heard = KeeperOf(guest).GetStatus(call.Within(kListLimit));
    if (heard.ok()) WatchKeeper(guest, heard->keeper_pid);
    // One that is there and slow to answer lives.
    if (heard.ok() || absl::IsDeadlineExceeded(heard.status())) {
      found.presence = GuestPresence::kRunning;
    } else if (fs::exists(layout_.StoppedMark(guest), error)) {
      found.presence = GuestPresence::kStopped;
    }
  }
  return observed;
}

}  // namespace trove::taskmanager
