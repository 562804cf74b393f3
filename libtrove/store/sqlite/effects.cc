#include "libtrove/store/sqlite/effects.h"

#include <optional>
#include <variant>

#include "libtrove/base/status_macros.h"
#include "libtrove/store/sqlite/events.h"
#include "libtrove/store/sqlite/quotas.h"
#include "libtrove/store/sqlite/statement.h"
#include "libtrove/store/sqlite/views.h"

namespace trove::sqlite {
namespace {

constexpr std::size_t kMostFaultMessage = 255;  // characters, as Trove's column

// Cuts at a character's first byte.
std::string Shorten(const std::string& text) {
  if (text.size() <= kMostFaultMessage) return text;
  std::size_t end = kMostFaultMessage;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;
  return text.substr(0, end);
}

class Applier {
 public:
  Applier(Transaction& tx, const Operation& operation)
      : tx_(tx), id_(operation.instance_id), operation_(operation.id) {}

  bool shown() const { return shown_; }

  absl::Status operator()(const PlaceGuest& effect) {
    return Run(tx_.db,
               "UPDATE guests SET placement = ?, control_endpoint = ?, uid = ? "
               "WHERE instance_id = ? AND ordinal = 0",
               effect.placement,
               effect.control_endpoint,
               effect.uid,
               id_);
  }

  absl::Status operator()(const AssignEndpoint& effect) {
    shown_ = true;
    return Run(tx_.db,
               "UPDATE endpoints SET address = ?, port = ? "
               "WHERE instance_id = ? AND purpose = 'primary'",
               effect.address,
               effect.port,
               id_);
  }

  absl::Status operator()(const SetEnrolmentToken& effect) {
    return Run(tx_.db,
               "UPDATE guests SET enrolment_hash = ?, enrolment_expires_at = ?, "
               "enrolment_keys = '' WHERE instance_id = ? AND ordinal = 0",
               effect.hash,
               effect.expires_at,
               id_);
  }

  absl::Status operator()(const SetVolumeState& effect) {
    return Run(tx_.db, "UPDATE volumes SET state = ? WHERE instance_id = ?", effect.state, id_);
  }

  absl::Status operator()(const SetTask& effect) {
    shown_ = true;
    return Run(tx_.db,
               "UPDATE instances SET task = ?, updated_at = ? WHERE id = ?",
               effect.task,
               tx_.now,
               id_);
  }

  absl::Status operator()(const SetService& effect) {
    shown_ = true;
    return Run(tx_.db,
               "UPDATE instances SET service = ?, service_updated_at = ? WHERE id = ?",
               effect.service,
               tx_.now,
               id_);
  }

  absl::Status operator()(const SetFault& effect) {
    shown_ = true;
    if (effect.message.empty()) {
      return Run(tx_.db,
                 "UPDATE instances SET fault_message = NULL, fault_details = NULL, "
                 "fault_at = NULL, updated_at = ? WHERE id = ?",
                 tx_.now,
                 id_);
    }
    return Run(tx_.db,
               "UPDATE instances SET fault_message = ?1, fault_details = ?2, fault_at = ?3, "
               "updated_at = ?3 WHERE id = ?4",
               Shorten(effect.message),
               effect.details,
               tx_.now,
               id_);
  }

  absl::Status operator()(const EraseInput&) {
    return Run(tx_.db, "DELETE FROM operation_inputs WHERE operation_id = ?", operation_);
  }

  absl::Status operator()(const SetRunningVersion& effect) {
    return Run(tx_.db,
               "UPDATE guests SET running_version = ? WHERE instance_id = ? AND ordinal = 0",
               effect.number,
               id_);
  }

  absl::Status operator()(const BuryInstance&) {
    TROVE_ASSIGN_OR_RETURN(std::optional<Instance> instance, FindInstance(tx_, id_));
    if (!instance) return absl::OkStatus();
    shown_ = false;
    TROVE_RETURN_IF_ERROR(
        Run(tx_.db,
            "INSERT OR IGNORE INTO tombstones (id, kind, project_id, name, at) "
            "SELECT id, 'instance', project_id, name, ?2 FROM instances WHERE id = ?1 "
            "UNION ALL SELECT g.id, 'guest', i.project_id, i.name, ?2 "
            "FROM guests g JOIN instances i ON i.id = g.instance_id WHERE i.id = ?1",
            id_,
            tx_.now));
    TROVE_RETURN_IF_ERROR(GiveBack(tx_, instance->project_id, id_));
    // Guests, volumes, endpoints and charges go with it.
    TROVE_RETURN_IF_ERROR(Run(tx_.db, "DELETE FROM instances WHERE id = ?", id_));
    ++instance->version;
    return InstanceEvent(tx_, "deleted", *instance);
  }

 private:
  Transaction& tx_;
  const InstanceId& id_;
  const OperationId& operation_;
  bool shown_ = false;  // something that a tenant sees has changed
};

}  // namespace

absl::Status ApplyEffects(Transaction& tx,
                          const Operation& operation,
                          const std::vector<Effect>& effects) {
  Applier applier(tx, operation);
  for (const Effect& effect : effects)
    TROVE_RETURN_IF_ERROR(std::visit(applier, effect));
  return applier.shown() ? InstanceChanged(tx, "status", operation.instance_id) : absl::OkStatus();
}

}  // namespace trove::sqlite
