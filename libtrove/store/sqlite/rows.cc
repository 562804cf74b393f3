#include "libtrove/store/sqlite/rows.h"

#include <optional>
#include <utility>

namespace trove::sqlite {

void Read(Statement& row, Instance& i) {
  row.Read(i.id, i.project_id, i.name, i.version_id, i.flavor_id, i.volume_size_gib);
  row.Read(i.access.is_public, i.access.allowed_cidrs, i.region, i.system);
  row.Read(i.task, i.service, i.service_updated_at, i.silent_since);
  std::optional<std::string> message;
  std::string details;
  std::optional<absl::Time> at;
  row.Read(message, details, at);
  if (message) i.fault = Fault{*message, details, at.value_or(absl::InfinitePast())};
  row.Read(i.created_at, i.updated_at, i.version, i.configuration_id);
}

void Read(Statement& row, DatastoreVersion& v) {
  row.Read(v.id, v.datastore_id, v.datastore_name, v.name, v.number, v.agent, v.engine, v.active);
}

void Read(Statement& row, Flavor& f) {
  row.Read(f.id, f.name, f.ram_mib, f.vcpus, f.disk_gib, f.ephemeral_gib);
}

void Read(Statement& row, Guest& g) {
  row.Read(g.id, g.instance_id, g.ordinal, g.role, g.term, g.generation, g.placement);
  row.Read(g.control_endpoint, g.running_version, g.agent_api, g.uid, g.sealing_public_key);
  row.Read(g.nkey_public, g.enrolled_at, g.incarnation, g.volume_used_bytes, g.message);
}

void Read(Statement& row, Volume& v) {
  row.Read(v.id, v.instance_id, v.guest_id, v.size_gib, v.state);
}

void Read(Statement& row, Endpoint& e) {
  row.Read(e.id, e.instance_id, e.guest_id, e.purpose, e.address, e.port);
}

void Read(Statement& row, Operation& o) {
  row.Read(o.id, o.project_id, o.instance_id, o.kind, o.workflow_version, o.state);
  row.Read(o.current_step, o.reason, o.awaited_signal, o.waiting_since, o.due_at, o.deadline);
  row.Read(o.error, o.help, o.requested_by, o.request_id, o.cancel_requested);
  row.Read(o.created_at, o.updated_at, o.finished_at, o.version, o.cancellable, o.retries);
}

void Read(Statement& row, StepRecord& s) {
  row.Read(s.name, s.state, s.attempts, s.started_at, s.finished_at, s.last_error);
}

}  // namespace trove::sqlite
