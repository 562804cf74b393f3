#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "libtrove/service/service_config.h"

namespace trove::conductor {

struct Config {
  service::ServiceConfig service;
  std::string enrol_listen = "127.0.0.1:0";  ///< host:port of the enrolment listener
  std::string mesh_ca_key;                   ///< file
  std::string endpoint_ca;                   ///< file
  std::string endpoint_ca_key;               ///< file
  std::string nats_account;                  ///< file: the account's public key
  std::string nats_signing_key;              ///< file: seed of the account's signing key
  std::string job_public_key;                ///< file: what guests check jobs with
  int guest_validity_days = 3650;            ///< of a guest's certificates and bus credentials
  int heartbeat_expiry_ms = 15'000;          ///< a guest not heard for so long is silent
};

/// False: there is nothing to run. Errors: kInvalidArgument names what is missing or wrong.
absl::StatusOr<bool> LoadConfig(int argc, const char* const* argv, Config* config);

}  // namespace trove::conductor
