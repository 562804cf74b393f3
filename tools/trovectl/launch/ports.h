#pragma once

#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "libtrove/base/unique_fd.h"
#include "tools/trovectl/launch/layout.h"

namespace trove::trovectl {

/// The TCP ports of a mesh. 0: not chosen yet.
struct Ports {
  int rest = 0;
  int grpc = 0;
  int nats = 0;
  int enrol = 0;  ///< where guests enrol with the conductor
  int api = 0;    ///< the mesh listeners
  int taskmanager = 0;
  int conductor = 0;

  friend bool operator==(const Ports&, const Ports&) = default;
};

/// What the caller asks for. Absent: as last time, else the default (8779, 8780); 0: any free one.
struct AskedPorts {
  std::optional<int> rest;
  std::optional<int> grpc;
};

/// What was used last time; all 0 when there was no last time. Errors: kFailedPrecondition: the
/// file holds something else.
absl::StatusOr<Ports> ReadPorts(const Layout& layout);
absl::Status WritePorts(const Layout& layout, const Ports& ports);

/// Ports, and what keeps launchers that start at the same time from choosing the same: to be held
/// as long as the ports are used.
struct ChosenPorts {
  Ports ports;
  std::vector<UniqueFd> claims;
};

/// Chooses the ports for a start. The public ones (on `address`) must be free; the others, on
/// loopback, stay what they were in `last` as long as they are free, since guests that run have
/// them in their files. Errors: kUnavailable names a public port that is taken and the flag that
/// chooses another; kResourceExhausted: no free port; kInvalidArgument: `address` is not one of
/// this machine.
absl::StatusOr<ChosenPorts> ChoosePorts(const AskedPorts& asked,
                                        const Ports& last,
                                        const std::string& address);

/// Whether a server could listen there now. Errors: kInvalidArgument: `address` is no IP address of
/// this machine.
absl::StatusOr<bool> IsPortFree(const std::string& address, int port);

/// Whether `address` is one of loopback.
bool IsLoopback(const std::string& address);

/// "host:port", with brackets around a version 6 address.
std::string HostPort(const std::string& address, int port);

}  // namespace trove::trovectl
