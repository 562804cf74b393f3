#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "libtrove/service/service_config.h"

namespace trove::taskmanager {

struct Config {
  service::ServiceConfig service;
  std::string master_key;               ///< file of 32 bytes
  std::string job_signing_key;          ///< file: Ed25519 private key, PEM
  std::string manifests;                ///< folder: <datastore>/manifest.yaml
  std::string datastores;               ///< folder: versions installed by an operator
  std::string conductor_enrol_address;  ///< host:port that new guests enrol at
  std::string provisioner = "process";
  std::string host = "local";  ///< this host's name in placements; must never change
  std::string data_dir;
  std::string socket_dir;  ///< short
  std::string bin_dir;     ///< of trove-keeper and the agents; empty: beside this program
  std::string claims_dir;  ///< shared by all meshes of the host; empty: the usual place
  std::string address = "127.0.0.1";  ///< where clients connect to databases
  int port_first = 20'000;
  int port_last = 29'999;
  int uid_first = 200'000;
  int uid_last = 209'999;
  int heartbeat_interval_ms = 5'000;
  int create_deadline_ms = 600'000;
  int reconcile_interval_ms = 60'000;
  int workers = 32;  ///< steps that run at a time
  /// Operations that have begun and not ended on this host; 0: no limit.
  int operations_per_host = 64;
  int keep_operations_days = 30;    ///< ended ones
  int keep_failed_inputs_days = 7;  ///< what a retry of a failed operation needs
  int keep_audit_days = 90;
  int drain_limit_ms = 10'000;
};

/// False: there is nothing to run. Errors: kInvalidArgument names what is missing or wrong.
absl::StatusOr<bool> LoadConfig(int argc, const char* const* argv, Config* config);

}  // namespace trove::taskmanager
