#include "libtrove/store/sqlite/effects.h"

#include <optional>
#include <string>
#include <variant>

#include "libtrove/base/status_macros.h"
#include "libtrove/store/sqlite/configurations.h"
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
  Applier(Transaction& tx, const EffectScope& scope)
      : tx_(tx), scope_(scope), id_(scope.instance_id) {}

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
    return Run(tx_.db, "DELETE FROM operation_inputs WHERE operation_id = ?", scope_.operation_id);
  }

  absl::Status operator()(const SetRunningVersion& effect) {
    return Run(tx_.db,
               "UPDATE guests SET running_version = ? WHERE instance_id = ? AND ordinal = 0",
               effect.number,
               id_);
  }

  absl::Status operator()(const SetFlavor& effect) {
    shown_ = true;
    return Run(tx_.db,
               "UPDATE instances SET flavor_id = ?, updated_at = ? WHERE id = ?",
               effect.flavor_id,
               tx_.now,
               id_);
  }

  absl::Status operator()(const SetVolumeSize& effect) {
    shown_ = true;
    TROVE_RETURN_IF_ERROR(
        Run(tx_.db,
            "UPDATE instances SET volume_size_gib = ?, updated_at = ? WHERE id = ?",
            effect.size_gib,
            tx_.now,
            id_));
    return Run(
        tx_.db, "UPDATE volumes SET size_gib = ? WHERE instance_id = ?", effect.size_gib, id_);
  }

  absl::Status operator()(const SetCharge& effect) {
    TROVE_ASSIGN_OR_RETURN(const std::optional<Instance> instance, FindInstance(tx_, id_));
    if (!instance || instance->system) return absl::OkStatus();
    return SetInstanceCharge(
        tx_, scope_.project_id, id_, scope_.operation_id, effect.resource, effect.amount);
  }

  absl::Status operator()(const SetVersion& effect) {
    shown_ = true;
    return Run(tx_.db,
               "UPDATE instances SET version_id = ?, updated_at = ? WHERE id = ?",
               effect.version_id,
               tx_.now,
               id_);
  }

  absl::Status operator()(const SetConfiguration& effect) {
    TROVE_ASSIGN_OR_RETURN(const std::optional<Instance> instance, FindInstance(tx_, id_));
    if (!instance || instance->configuration_id == effect.configuration_id) return absl::OkStatus();
    shown_ = true;
    if (instance->configuration_id) {
      TROVE_RETURN_IF_ERROR(
          AttachEvent(tx_, "detached", {*instance->configuration_id, instance->project_id, id_}));
    }
    if (effect.configuration_id) {
      TROVE_RETURN_IF_ERROR(
          AttachEvent(tx_, "attached", {*effect.configuration_id, instance->project_id, id_}));
    }
    return Run(tx_.db,
               "UPDATE instances SET configuration_id = ?, updated_at = ? WHERE id = ?",
               effect.configuration_id,
               tx_.now,
               id_);
  }

  absl::Status operator()(const ResetGuest&) {
    shown_ = true;
    return Run(tx_.db,
               "UPDATE guests SET sealing_public_key = x'', nkey_public = '', enrolled_at = NULL, "
               "enrolment_hash = '', enrolment_expires_at = 0, enrolment_keys = '', "
               "incarnation = 0, sequence = 0, service = ?, silent_since = NULL, agent_api = 0, "
               "running_version = '', volume_used_bytes = 0, message = '' "
               "WHERE instance_id = ? AND ordinal = 0",
               ServiceStatus::kNew,
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
    if (instance->configuration_id) {
      TROVE_RETURN_IF_ERROR(
          AttachEvent(tx_, "detached", {*instance->configuration_id, instance->project_id, id_}));
    }
    // Guests, volumes, endpoints and charges go with it.
    TROVE_RETURN_IF_ERROR(Run(tx_.db, "DELETE FROM instances WHERE id = ?", id_));
    ++instance->version;
    return InstanceEvent(tx_, "deleted", *instance);
  }

 private:
  Transaction& tx_;
  const EffectScope& scope_;
  const InstanceId& id_;
  bool shown_ = false;  // something that a tenant sees has changed
};

}  // namespace

absl::Status ApplyEffects(Transaction& tx,
                          const EffectScope& scope,
                          const std::vector<Effect>& effects) {
  Applier applier(tx, scope);
  for (const Effect& effect : effects)
    TROVE_RETURN_IF_ERROR(std::visit(applier, effect));
  return applier.shown() ? InstanceChanged(tx, "status", scope.instance_id) : absl::OkStatus();
}

}  // namespace trove::sqlite
