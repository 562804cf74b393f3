#include "tools/trovectl/launch/mesh.h"

#include <poll.h>

#include <algorithm>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include <absl/time/clock.h>

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "libtrove/base/subprocess.h"
#include "libtrove/identity/nats_config.h"
#include "libtrove/model/manifest.h"
#include "tools/trovectl/launch/last_options.h"
#include "tools/trovectl/launch/lock.h"
#include "tools/trovectl/launch/programs.h"
#include "tools/trovectl/launch/readiness.h"
#include "tools/trovectl/launch/secrets.h"
#include "tools/trovectl/launch/store_setup.h"

namespace trove::trovectl {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kLeftoverGrace = absl::Seconds(15);
constexpr absl::Duration kTemplatesLimit = absl::Seconds(10);
constexpr int kTemplatesPollMs = 10;

// Says what was done and how long it took.
class Steps {
 public:
  explicit Steps(Terminal& terminal) : terminal_(terminal) {}

  void Done(const std::string& step, const std::string& about = "") {
    const absl::Time now = absl::Now();
    std::string line = "ready    " + step;
    line.resize(std::max(line.size() + 2, std::size_t{24}), ' ');
    line += std::to_string(absl::ToInt64Milliseconds(now - since_)) + " ms";
    if (!about.empty()) line += "  " + about;
    terminal_.Line(line);
    since_ = now;
  }

 private:
  Terminal& terminal_;
  absl::Time since_ = absl::Now();
};

std::string NatsName(const std::string& mesh_id) {
  return "trove-" + mesh_id;
}

absl::Status WriteNatsConfig(const Layout& layout, const MeshSecrets& secrets, int port) {
  const fs::path folder = layout.Nats();
  identity::NatsServerConfig config;
  config.server_name = NatsName(secrets.mesh_id);
  config.port = port;
  TROVE_ASSIGN_OR_RETURN(config.operator_jwt, secrets.nats.OperatorJwt(secrets.made_at));
  config.system_account = secrets.nats.system_key.public_key();
  TROVE_ASSIGN_OR_RETURN(config.accounts, secrets.nats.AccountJwts(secrets.made_at));
  config.accounts_directory = folder / "accounts";
  config.jetstream_directory = folder / "jetstream";
  config.certificate_file = folder / "server.crt";
  config.key_file = folder / "server.key";
  config.authority_file = folder / "mesh-ca.pem";
  TROVE_RETURN_IF_ERROR(MakeDirectory(config.accounts_directory, 0700));
  TROVE_RETURN_IF_ERROR(MakeDirectory(config.jetstream_directory, 0700));
  return WriteFileAtomically(folder / "nats.conf", identity::NatsServerConfigText(config), 0600);
}

absl::Status CheckOptions(MeshOptions* options) {
  if (options->rest_cert.empty() != options->rest_key.empty())
    return absl::InvalidArgumentError("--rest-cert and --rest-key go together");
  for (std::string* file : {&options->rest_cert, &options->rest_key}) {
    if (file->empty()) continue;
    *file = fs::absolute(*file);
    TROVE_RETURN_IF_ERROR(ReadFile(*file).status());
  }
  if (options->address == "0.0.0.0" || options->address == "::") {
    return absl::InvalidArgumentError(
        "--address must be one address of this machine: clients are told to connect to it");
  }
  return IsPortFree(options->address, 0).status();
}

// A port that was another one before is news for whoever has it written down.
void TellOfMovedPorts(const Ports& last, const Ports& ports, Terminal& terminal) {
  for (const auto& [name, member] :
       {std::pair<const char*, int Ports::*>{"nats", &Ports::nats}, {"enrolment", &Ports::enrol}}) {
    if (last.*member == 0 || last.*member == ports.*member) continue;
    terminal.Line(std::string("note     the port for ") + name + " was taken meanwhile (" +
                  std::to_string(last.*member) + "); it is " + std::to_string(ports.*member) +
                  " now, and guests that run are told within a minute");
  }
}

// All that is known before the first process starts.
struct Prepared {
  Layout layout;
  Programs programs;
  MeshSecrets secrets;
  Ports ports;
  ClientEnvironment client;
  bool rest_tls = false;
  fs::path socket_dir;
  std::vector<UniqueFd> port_claims;
};

absl::StatusOr<Prepared> Prepare(const MeshOptions& options,
                                 const Layout& layout,
                                 Programs programs,
                                 Terminal& terminal) {
  TROVE_ASSIGN_OR_RETURN(const Ports last, ReadPorts(layout));
  TROVE_ASSIGN_OR_RETURN(ChosenPorts chosen, ChoosePorts(options.ports, last, options.address));
  const Ports ports = chosen.ports;
  TellOfMovedPorts(last, ports, terminal);

  const absl::Time now = absl::Now();
  TROVE_ASSIGN_OR_RETURN(MeshSecrets secrets, EnsureSecrets(layout, now));
  TROVE_RETURN_IF_ERROR(IssueServiceFiles(layout, secrets, options.address, now));
  TROVE_RETURN_IF_ERROR(WriteNatsConfig(layout, secrets, ports.nats));

  const bool rest_tls = !options.rest_cert.empty() || !IsLoopback(options.address);
  SettingsInput input;
  input.layout = layout;
  input.mesh_id = secrets.mesh_id;
  TROVE_ASSIGN_OR_RETURN(input.socket_dir, PrepareSocketDirectory(secrets.mesh_id));
  TROVE_ASSIGN_OR_RETURN(input.guest_programs, PrepareGuestPrograms(layout, programs));
  input.manifests = programs.manifests;
  input.address = options.address;
  input.ports = ports;
  if (rest_tls) {
    const fs::path own = layout.Service("gateway");
    const bool given = !options.rest_cert.empty();
    input.tls_cert = given ? fs::path(options.rest_cert) : own / "endpoint.crt";
    input.tls_key = given ? fs::path(options.rest_key) : own / "endpoint.key";
  }
  Settings settings = MakeSettings(input);
  for (const std::string& assignment : options.overrides)
    TROVE_RETURN_IF_ERROR(Override(settings, assignment));
  TROVE_RETURN_IF_ERROR(WriteFileAtomically(layout.Settings(), SettingsText(settings), 0644));
  TROVE_RETURN_IF_ERROR(WritePorts(layout, ports));
  TROVE_RETURN_IF_ERROR(KeepOptions(layout, options));

  TROVE_ASSIGN_OR_RETURN(ClientEnvironment client, KeptClient(layout));
  client.rest_url = (rest_tls ? "https://" : "http://") + HostPort(options.address, ports.rest);
  client.grpc_endpoint = HostPort(options.address, ports.grpc);
  client.ca = layout.EndpointCa();
  return Prepared{layout,
                  std::move(programs),
                  std::move(secrets),
                  ports,
                  std::move(client),
                  rest_tls,
                  input.socket_dir,
                  std::move(chosen.claims)};
}

ChildSpec ServiceSpec(const Prepared& prepared, const std::string& service, int port) {
  ChildSpec spec;
  spec.name = service;
  spec.program.argv = {
      prepared.programs.folder / ("trove-" + service), "--config", prepared.layout.Settings()};
  spec.probe = MeshServiceProbe(prepared.layout, prepared.secrets.mesh_id, service, port);
  return spec;
}

absl::Status StartChild(const Prepared& prepared,
                        ChildSpec spec,
                        Supervisor& supervisor,
                        Steps& steps,
                        const std::string& about = "") {
  spec.program.environment = ChildEnvironment();
  spec.program.output = prepared.layout.Log(spec.name);
  spec.program.new_session = true;  // Ctrl-C is for the launcher, which stops them in order
  spec.pid_file = prepared.layout.PidFile(spec.name);
  const std::string name = spec.name;
  TROVE_RETURN_IF_ERROR(supervisor.Start(std::move(spec)));
  steps.Done(name, about);
  return absl::OkStatus();
}

bool HasEngine(const DatastoreVersion& version) {
  std::error_code error;
  return version.engine.empty() || fs::is_directory(version.engine, error);
}

// The task manager builds what new volumes begin as when it starts: a moment the first time, and
// nothing later. Waited for here, so that the first create is as fast as the others; false when it
// takes too long, as where the database is not installed.
bool AwaitTemplates(const Prepared& prepared, Terminal& terminal) {
  const absl::StatusOr<std::vector<Manifest>> manifests =
      LoadManifests(prepared.programs.manifests, prepared.layout.Datastores());
  if (!manifests.ok()) return false;
  const Call call = CallFor(kTemplatesLimit);
  for (const Manifest& manifest : *manifests) {
    for (const DatastoreVersion& version : manifest.datastore.versions) {
      if (!version.active) continue;
      if (!HasEngine(version)) {
        terminal.Line("note     " + version.datastore_name + " " + version.name +
                      " is not installed: there is no folder " + version.engine);
        continue;
      }
      while (!fs::exists(prepared.layout.data_dir / "templates" / version.id.value())) {
        if (!call.Check().ok()) return false;
        ::poll(nullptr, 0, kTemplatesPollMs);
      }
    }
  }
  return true;
}

absl::Status StartAll(const Prepared& prepared,
                      const MeshOptions& options,
                      Supervisor& supervisor,
                      Terminal& terminal,
                      Steps& steps) {
  ChildSpec nats;
  nats.name = "nats-server";
  nats.program.argv = {prepared.programs.nats_server, "-c", prepared.layout.Nats() / "nats.conf"};
  nats.probe = [port = prepared.ports.nats,
                name = NatsName(prepared.secrets.mesh_id)](const Call& call) {
    return ProbeNats(call, port, name);
  };
  TROVE_RETURN_IF_ERROR(StartChild(prepared, std::move(nats), supervisor, steps));

  TROVE_RETURN_IF_ERROR(SetUpStore(prepared.layout, prepared.programs.manifests, prepared.client));
  steps.Done("store");

  const Ports& ports = prepared.ports;
  for (const auto& [service, port, about] :
       {std::tuple<std::string, int, std::string>{"conductor", ports.conductor, ""},
        {"taskmanager", ports.taskmanager, ""},
        {"api", ports.api, "gRPC " + prepared.client.grpc_endpoint}}) {
    TROVE_RETURN_IF_ERROR(
        StartChild(prepared, ServiceSpec(prepared, service, port), supervisor, steps, about));
  }
  ChildSpec gateway = ServiceSpec(prepared, "gateway", 0);
  gateway.probe =
      [address = options.address, port = ports.rest, tls = prepared.rest_tls](const Call& call) {
        return ProbeRest(call, address, port, tls);
      };
  TROVE_RETURN_IF_ERROR(StartChild(
      prepared, std::move(gateway), supervisor, steps, "REST " + prepared.client.rest_url));
  if (AwaitTemplates(prepared, terminal)) {
    steps.Done("templates");
  } else {
    steps.Done("templates", "late: the first instance waits for them (see logs/taskmanager.log)");
  }
  // Last, so that who sees a new one finds what it names.
  return WriteFileAtomically(
      prepared.layout.ClientEnvironment(), ClientEnvironmentText(prepared.client), 0600);
}

}  // namespace

std::vector<std::string> ControlPlanePrograms() {
  return {"nats-server", "conductor", "taskmanager", "api", "gateway"};
}

absl::StatusOr<Layout> LayoutFor(const fs::path& data_dir) {
  fs::path folder = data_dir;
  if (folder.empty()) {
    TROVE_ASSIGN_OR_RETURN(folder, DefaultDataDirectory());
  }
  std::error_code error;
  folder = fs::weakly_canonical(fs::absolute(folder), error);
  if (error) return ErrnoStatus(error.value(), "find " + data_dir.string());
  if (!folder.has_filename()) folder = folder.parent_path();  // a slash at the end
  return Layout{folder};
}

absl::StatusOr<std::vector<std::string>> EndLeftovers(const Layout& layout) {
  std::vector<std::string> ended;
  std::vector<std::string> programs = ControlPlanePrograms();
  for (auto program = programs.rbegin(); program != programs.rend(); ++program) {
    TROVE_ASSIGN_OR_RETURN(const bool lived, EndLeftover(layout.PidFile(*program), kLeftoverGrace));
    if (lived) ended.push_back(*program);
  }
  return ended;
}

absl::Status RunMesh(const MeshOptions& asked,
                     Terminal& terminal,
                     const std::function<absl::Status(const Mesh&)>& while_up) {
  MeshOptions options = asked;
  TROVE_RETURN_IF_ERROR(CheckOptions(&options));
  TROVE_ASSIGN_OR_RETURN(Programs programs, FindPrograms());
  TROVE_ASSIGN_OR_RETURN(const Layout layout, LayoutFor(options.data_dir));
  TROVE_RETURN_IF_ERROR(PrepareLayout(layout));
  TROVE_ASSIGN_OR_RETURN(const LauncherLock lock, LauncherLock::Take(layout));
  terminal.LogTo(layout.Log("launcher"));
  TROVE_ASSIGN_OR_RETURN(const std::vector<std::string> ended, EndLeftovers(layout));
  for (const std::string& name : ended)
    terminal.Line("ended    " + name + ", which a launcher that was killed had left");

  Steps steps(terminal);
  absl::StatusOr<Prepared> prepared = Prepare(options, layout, std::move(programs), terminal);
  if (!prepared.ok()) return prepared.status();
  steps.Done("data directory", layout.data_dir.string());

  Supervisor::Options supervision;
  supervision.hang_limit = options.hang_limit;
  Supervisor supervisor(terminal, supervision);
  supervisor.TendLog(layout.Log("launcher"));
  absl::Status status = StartAll(*prepared, options, supervisor, terminal, steps);
  if (status.ok()) {
    status = while_up(
        Mesh{layout, prepared->secrets.mesh_id, prepared->ports, prepared->client, supervisor});
  }
  supervisor.StopAll();
  TidySocketDirectory(prepared->socket_dir);
  return status;
}

}  // namespace trove::trovectl
