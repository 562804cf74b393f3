#pragma once

#include <string>

#include "libtrove/store/records.h"
#include "libtrove/store/sqlite/statement.h"

// How rows become records. Each list of columns is read by the function beside it, in its order;
// the tables go by the aliases named.

namespace trove::sqlite {

/// Of instances `i` and its first guest `g`.
inline constexpr char kInstanceColumns[] =
    "i.id, i.project_id, i.name, i.version_id, i.flavor_id, i.volume_size_gib, i.is_public, "
    "i.allowed_cidrs, i.region, i.system, i.task, i.service, i.service_updated_at, "
    "g.silent_since, i.fault_message, i.fault_details, i.fault_at, i.created_at, i.updated_at, "
    "i.version, i.configuration_id";
void Read(Statement& row, Instance& instance);

/// Of datastore_versions `v` and its datastore `d`.
inline constexpr char kVersionColumns[] =
    "v.id, v.datastore_id, d.name, v.name, v.number, v.agent, v.engine, v.active";
inline constexpr int kVersionColumnCount = 8;
void Read(Statement& row, DatastoreVersion& version);

/// Of flavors `f`.
inline constexpr char kFlavorColumns[] =
    "f.id, f.name, f.ram_mib, f.vcpus, f.disk_gib, f.ephemeral_gib";
void Read(Statement& row, Flavor& flavor);

/// Of guests `g`.
inline constexpr char kGuestColumns[] =
    "g.id, g.instance_id, g.ordinal, g.role, g.term, g.generation, g.placement, "
    "g.control_endpoint, g.running_version, g.agent_api, g.uid, g.sealing_public_key, "
    "g.nkey_public, g.enrolled_at, g.incarnation, g.volume_used_bytes, g.message";
void Read(Statement& row, Guest& guest);

/// Of volumes `vol`.
inline constexpr char kVolumeColumns[] =
    "vol.id, vol.instance_id, vol.guest_id, vol.size_gib, vol.state";
void Read(Statement& row, Volume& volume);

/// Of endpoints `e`.
inline constexpr char kEndpointColumns[] =
    "e.id, e.instance_id, e.guest_id, e.purpose, e.address, e.port";
inline constexpr int kEndpointColumnCount = 6;
void Read(Statement& row, Endpoint& endpoint);

/// Of operations `o`: without steps, input and memory.
inline constexpr char kOperationColumns[] =
    "o.id, o.project_id, o.instance_id, o.kind, o.workflow_version, o.state, o.current_step, "
    "o.reason, o.awaited_signal, o.waiting_since, o.due_at, o.deadline, o.error, o.help, "
    "o.requested_by, o.request_id, o.cancel_requested, o.created_at, o.updated_at, "
    "o.finished_at, o.version, o.cancellable, o.retries";
inline constexpr int kOperationColumnCount = 23;
void Read(Statement& row, Operation& operation);

/// Of operation_steps `s`.
inline constexpr char kStepColumns[] =
    "s.name, s.state, s.attempts, s.started_at, s.finished_at, s.last_error";
void Read(Statement& row, StepRecord& step);

/// The lock name of an instance.
inline std::string ResourceOf(const InstanceId& id) {
  return "instances/" + id.value();
}

/// The lock name of a configuration group.
inline std::string ResourceOf(const ConfigurationId& id) {
  return "configurations/" + id.value();
}

/// What the audit record calls an operation.
inline std::string ResourceOf(const OperationId& id) {
  return "operations/" + id.value();
}

}  // namespace trove::sqlite
