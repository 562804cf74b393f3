#include "tools/trovectl/launch/status.h"

#include "libtrove/base/files.h"
#include "libtrove/base/status.h"
#include "libtrove/base/status_macros.h"
#include "tools/trovectl/launch/lock.h"
#include "tools/trovectl/launch/mesh.h"
#include "tools/trovectl/launch/ports.h"
#include "tools/trovectl/launch/readiness.h"
#include "tools/trovectl/launch/settings.h"

namespace trove::trovectl {
namespace {

constexpr absl::Duration kProbeLimit = absl::Seconds(3);

// Splits "http://[::1]:8779" into what a probe needs; the port is known.
std::string HostOf(const std::string& url) {
  std::string host = url.substr(url.find("://") + 3);
  host.resize(host.rfind(':'));
  if (!host.empty() && host.front() == '[') host = host.substr(1, host.size() - 2);
  return host;
}

absl::Status Probe(const Layout& layout,
                   const std::string& mesh_id,
                   const Ports& ports,
                   const std::string& rest_url,
                   const std::string& name) {
  const Call call = CallFor(kProbeLimit);
  if (name == "nats-server") return ProbeNats(call, ports.nats, "trove-" + mesh_id);
  if (name == "gateway")
    return ProbeRest(call, HostOf(rest_url), ports.rest, rest_url.starts_with("https:"));
  const int port = name == "api"         ? ports.api
                   : name == "conductor" ? ports.conductor
                                         : ports.taskmanager;
  return MeshServiceProbe(layout, mesh_id, name, port)(call);
}

}  // namespace

absl::StatusOr<std::vector<ProcessStatus>> AskMesh(const Layout& layout) {
  const absl::StatusOr<std::string> mesh_id = ReadMeshId(layout);
  if (absl::IsNotFound(mesh_id.status())) {
    return absl::NotFoundError("there is no mesh in " + layout.data_dir.string() +
                               ": start one with `trovectl up`");
  }
  if (!mesh_id.ok()) return mesh_id.status();
  TROVE_ASSIGN_OR_RETURN(const Ports ports, ReadPorts(layout));
  const absl::StatusOr<ClientEnvironment> client = ReadClientEnvironment(layout);
  const std::string rest_url = client.ok() ? client->rest_url : "http://127.0.0.1:0";

  std::vector<ProcessStatus> found;
  ProcessStatus& launcher = found.emplace_back();
  launcher.name = "launcher";
  if (const auto mark = FindLauncher(layout); mark.ok()) {
    launcher = {"launcher", mark->pid, true, layout.data_dir.string()};
  } else {
    launcher.about = MessageOf(mark.status());
  }
  for (const std::string& name : ControlPlanePrograms()) {
    ProcessStatus& process = found.emplace_back();
    process.name = name;
    const absl::StatusOr<std::string> text = ReadFile(layout.PidFile(name));
    const absl::StatusOr<ProcessMark> mark = ParseMark(text.ok() ? *text : "");
    if (!mark.ok() || !IsAlive(*mark)) {
      process.about = "not running";
      continue;
    }
    process.pid = mark->pid;
    const absl::Status probed = Probe(layout, *mesh_id, ports, rest_url, name);
    process.serves = probed.ok();
    if (!probed.ok())
      process.about = MessageOf(probed);
    else if (name == "gateway")
      process.about = "REST " + rest_url;
    else if (name == "api" && client.ok())
      process.about = "gRPC " + client->grpc_endpoint;
  }
  return found;
}

}  // namespace trove::trovectl
