#include "services/taskmanager/config.h"

#include <unistd.h>

#include <utility>

#include "libtrove/base/files.h"
#include "libtrove/base/status_macros.h"

namespace trove::taskmanager {
namespace {

absl::Status CheckGiven(const Config& config) {
  std::string missing;
  for (const auto& [key, value] :
       {std::pair<const char*, const std::string&>{"master_key", config.master_key},
        {"job_signing_key", config.job_signing_key},
        {"manifests", config.manifests},
        {"conductor_enrol_address", config.conductor_enrol_address},
        {"data_dir", config.data_dir},
        {"socket_dir", config.socket_dir}}) {
    if (value.empty()) missing += (missing.empty() ? "" : ", ") + std::string(key);
  }
  if (!missing.empty())
    return absl::InvalidArgumentError("configuration: these keys must be given: " + missing);
  return absl::OkStatus();
}

absl::Status CheckRanges(const Config& config) {
  if (config.provisioner != "process")
    return absl::InvalidArgumentError("configuration: provisioner must be `process`, not `" +
                                      config.provisioner + "`");
  if (config.port_first < 1 || config.port_last > 65'535 || config.port_first > config.port_last)
    return absl::InvalidArgumentError(
        "configuration: port_first and port_last must be a range within 1 to 65535");
  if (config.uid_first < 1 || config.uid_first > config.uid_last)
    return absl::InvalidArgumentError(
        "configuration: uid_first and uid_last must be a range above 0");
  if (config.workers < 1 || config.workers > 256)
    return absl::InvalidArgumentError("configuration: workers must be 1 to 256");
  if (config.operations_per_host < 0)
    return absl::InvalidArgumentError("configuration: operations_per_host must be at least 0");
  if (config.keep_operations_days < 1 || config.keep_failed_inputs_days < 0 ||
      config.keep_audit_days < 1)
    return absl::InvalidArgumentError(
        "configuration: keep_operations_days and keep_audit_days must be at least 1, "
        "keep_failed_inputs_days at least 0");
  if (config.create_deadline_ms < 1000 || config.reconcile_interval_ms < 100 ||
      config.heartbeat_interval_ms < 100 || config.drain_limit_ms < 0)
    return absl::InvalidArgumentError(
        "configuration: create_deadline_ms must be at least 1000, reconcile_interval_ms and "
        "heartbeat_interval_ms at least 100, drain_limit_ms at least 0");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<bool> LoadConfig(int argc, const char* const* argv, Config* config) {
  ConfigLoader loader("taskmanager", "runs operations: makes, changes and removes instances");
  service::AddServiceKeys(loader, &config->service);
  loader.Add("master_key", &config->master_key, "file with the store's master key, 32 bytes");
  loader.Add("job_signing_key", &config->job_signing_key, "file with the key jobs are signed with");
  loader.Add("manifests", &config->manifests, "folder with <datastore>/manifest.yaml");
  loader.Add("datastores",
             &config->datastores,
             "folder with *.yaml of versions that an operator has installed; need not exist");
  loader.Add("conductor_enrol_address",
             &config->conductor_enrol_address,
             "host:port that new guests enrol at");
  loader.Add("provisioner", &config->provisioner, "what makes guests: process");
  loader.Add("host", &config->host, "this host's name in placements; must never change");
  loader.Add("data_dir", &config->data_dir, "folder of volumes, guests and templates");
  loader.Add("socket_dir", &config->socket_dir, "folder of the guests' sockets, a short path");
  loader.Add("bin_dir",
             &config->bin_dir,
             "folder of trove-keeper and the agents; empty: beside this program");
  loader.Add("claims_dir",
             &config->claims_dir,
             "folder of claimed ports and users, shared by all meshes of the host; empty: the "
             "usual place");
  loader.Add("address", &config->address, "address that databases listen on");
  loader.Add("port_first", &config->port_first, "first port for databases");
  loader.Add("port_last", &config->port_last, "last port for databases");
  loader.Add("uid_first", &config->uid_first, "first numeric user for guests, used as root only");
  loader.Add("uid_last", &config->uid_last, "last numeric user for guests");
  loader.Add("heartbeat_interval_ms", &config->heartbeat_interval_ms, "between two heartbeats");
  loader.Add("create_deadline_ms", &config->create_deadline_ms, "for making an instance");
  loader.Add("reconcile_interval_ms",
             &config->reconcile_interval_ms,
             "between two looks whether the host has what the store wants");
  loader.Add("workers", &config->workers, "steps that run at a time");
  loader.Add("operations_per_host",
             &config->operations_per_host,
             "operations at a time on this host, fairly among projects; 0: no limit");
  loader.Add("keep_operations_days", &config->keep_operations_days, "of operations that ended");
  loader.Add("keep_failed_inputs_days",
             &config->keep_failed_inputs_days,
             "of what a retry of a failed operation needs");
  loader.Add("keep_audit_days", &config->keep_audit_days, "of audit records");
  loader.Add("drain_limit_ms", &config->drain_limit_ms, "for running steps when stopping");
  TROVE_ASSIGN_OR_RETURN(const bool run, loader.Load(argc, argv));
  if (!run) return false;
  TROVE_RETURN_IF_ERROR(service::CheckServiceConfig(config->service));
  TROVE_RETURN_IF_ERROR(CheckGiven(*config));
  TROVE_RETURN_IF_ERROR(CheckRanges(*config));
  if (config->bin_dir.empty()) {
    TROVE_ASSIGN_OR_RETURN(const auto own, ExecutableDirectory());
    config->bin_dir = own.string();
  }
  if (config->claims_dir.empty())
    config->claims_dir =
        ::geteuid() == 0 ? "/run/trove/claims" : "/tmp/trove-claims-" + std::to_string(::geteuid());
  return true;
}

}  // namespace trove::taskmanager
