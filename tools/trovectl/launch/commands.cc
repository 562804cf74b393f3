#include "tools/trovectl/launch/commands.h"

#include <unistd.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "libtrove/base/status.h"
#include "tools/trovectl/launch/detach.h"
#include "tools/trovectl/launch/down.h"
#include "tools/trovectl/launch/mesh.h"
#include "tools/trovectl/launch/signals.h"
#include "tools/trovectl/launch/status.h"
#include "tools/trovectl/launch/terminal.h"

namespace trove::trovectl {
namespace {

constexpr int kFailed = 1;
constexpr int kNotServing = 3;

constexpr char kUpHelp[] =
    "Starts a mesh on this machine: nats-server, conductor, taskmanager, api and gateway under one "
    "data directory, and starts again what dies. Ctrl-C or `trovectl down` stops them; databases "
    "run on, and the next `up` finds them. How clients connect stands in DIR/client.env, what each "
    "process says in DIR/logs.";

constexpr char kDownHelp[] =
    "Stops the mesh of a data directory and waits until it is gone. Databases run on. With "
    "--instances all instances of all projects are deleted first, with their data: a mesh that "
    "does not run is started for that, so that no process, port, user or folder of theirs stays.";

struct UpFlags {
  MeshOptions mesh;
  int hang_limit_s = 15;
  int rest_port = -1;
  int grpc_port = -1;
  bool detach = false;
};

struct DownFlags {
  std::string data_dir;
  bool instances = false;
};

void TellWhereToGo(const Mesh& mesh, Terminal& terminal, bool detached) {
  terminal.Line("");
  terminal.Line("Mesh " + mesh.mesh_id + " is ready.");
  terminal.Line("  REST    " + mesh.client.rest_url);
  terminal.Line("  gRPC    " + mesh.client.grpc_endpoint);
  terminal.Line("  client  . " + mesh.layout.ClientEnvironment().string());
  terminal.Line(detached ? "  stop    trovectl down --data-dir " + mesh.layout.data_dir.string()
                         : std::string("  stop    Ctrl-C; databases run on"));
}

int Up(const UpFlags& flags, Terminal& terminal, const std::function<void()>& ready) {
  BlockLauncherSignals();
  const absl::Status status = RunMesh(flags.mesh, terminal, [&](const Mesh& mesh) {
    TellWhereToGo(mesh, terminal, flags.detach);
    ready();
    while (mesh.supervisor.Tend(absl::Hours(1))) {
    }
    terminal.Line("stopping");
    return absl::OkStatus();
  });
  if (status.ok()) return 0;
  terminal.Error("trovectl up: " + MessageOf(status));
  return kFailed;
}

int RunUp(UpFlags flags) {
  if (flags.rest_port >= 0) flags.mesh.ports.rest = flags.rest_port;
  if (flags.grpc_port >= 0) flags.mesh.ports.grpc = flags.grpc_port;
  flags.mesh.hang_limit = absl::Seconds(flags.hang_limit_s);
  if (!flags.detach) {
    Terminal terminal(STDOUT_FILENO, STDERR_FILENO);
    return Up(flags, terminal, [] {});
  }
  const absl::StatusOr<int> code =
      RunDetached([&flags](Terminal& terminal, const std::function<void()>& ready) {
        return Up(flags, terminal, ready);
      });
  if (code.ok()) return *code;
  std::fprintf(stderr, "trovectl up: %s\n", MessageOf(code.status()).c_str());
  return kFailed;
}

int RunDown(const DownFlags& flags) {
  BlockLauncherSignals();
  Terminal terminal(STDOUT_FILENO, STDERR_FILENO);
  const absl::StatusOr<Layout> layout = LayoutFor(flags.data_dir);
  absl::Status status = layout.status();
  if (status.ok())
    status =
        flags.instances ? RemoveInstancesAndStop(*layout, terminal) : StopMesh(*layout, terminal);
  if (status.ok()) return 0;
  terminal.Error("trovectl down: " + MessageOf(status));
  return kFailed;
}

int RunStatus(const std::string& data_dir) {
  const absl::StatusOr<Layout> layout = LayoutFor(data_dir);
  const absl::StatusOr<std::vector<ProcessStatus>> processes =
      layout.ok() ? AskMesh(*layout) : layout.status();
  if (!processes.ok()) {
    std::fprintf(stderr, "trovectl status: %s\n", MessageOf(processes.status()).c_str());
    return kFailed;
  }
  bool all_serve = true;
  for (const ProcessStatus& process : *processes) {
    std::printf("%-12s %8s  %-8s %s\n",
                process.name.c_str(),
                process.pid == 0 ? "-" : std::to_string(process.pid).c_str(),
                process.serves ? "serves" : "down",
                process.about.c_str());
    all_serve = all_serve && process.serves;
  }
  return all_serve ? 0 : kNotServing;
}

}  // namespace

void AddLaunchCommands(CLI::App& app, int* exit_code) {
  constexpr char kDataDir[] =
      "folder of everything the mesh keeps (default: /var/lib/trove as root, else "
      "~/.local/share/trove)";

  CLI::App* up = app.add_subcommand("up", kUpHelp);
  const auto up_flags = std::make_shared<UpFlags>();
  up->add_option("--data-dir", up_flags->mesh.data_dir, kDataDir);
  up->add_option("--rest-port",
                 up_flags->rest_port,
                 "port of the REST API; 0: any free one (default: as last time, first 8779)")
      ->check(CLI::Range(0, 65535));
  up->add_option("--grpc-port",
                 up_flags->grpc_port,
                 "port of the gRPC API; 0: any free one (default: as last time, first 8780)")
      ->check(CLI::Range(0, 65535));
  up->add_option("--address",
                 up_flags->mesh.address,
                 "this machine's IP address where clients connect; REST is TLS on any but "
                 "loopback")
      ->capture_default_str();
  up->add_option("--rest-cert",
                 up_flags->mesh.rest_cert,
                 "PEM file: REST is TLS with this certificate (and its chain)");
  up->add_option("--rest-key", up_flags->mesh.rest_key, "PEM file: the key of --rest-cert");
  up->add_option("--set",
                 up_flags->mesh.overrides,
                 "service.key=value: a setting of a service, as its --help names it; `common` "
                 "stands for all services; may be repeated")
      ->take_all();
  up->add_option("--hang-limit",
                 up_flags->hang_limit_s,
                 "seconds after which a process that lives and does not answer is killed and "
                 "started again; 0: never")
      ->check(CLI::Range(0, 86'400))
      ->capture_default_str();
  up->add_flag("--detach",
               up_flags->detach,
               "return when everything is ready, with an exit code other than 0 when it is not");
  up->callback([up_flags, exit_code] { *exit_code = RunUp(*up_flags); });

  CLI::App* down = app.add_subcommand("down", kDownHelp);
  const auto down_flags = std::make_shared<DownFlags>();
  down->add_option("--data-dir", down_flags->data_dir, kDataDir);
  down->add_flag("--instances", down_flags->instances, "delete all instances and their data first");
  down->callback([down_flags, exit_code] { *exit_code = RunDown(*down_flags); });

  CLI::App* status = app.add_subcommand(
      "status", "Shows the processes of a mesh; the exit code is 0 when all of them serve.");
  const auto data_dir = std::make_shared<std::string>();
  status->add_option("--data-dir", *data_dir, kDataDir);
  status->callback([data_dir, exit_code] { *exit_code = RunStatus(*data_dir); });
}

}  // namespace trove::trovectl
