#include "services/gateway/codec/plan.h"

#include <optional>
#include <utility>

#include "libtrove/base/check.h"
#include "libtrove/base/status_macros.h"
#include "services/gateway/codec/json_text.h"

namespace trove::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

std::optional<FieldKind> KindOf(const FieldDescriptor& field, rest::v1::Form form) {
  const bool json = form == rest::v1::FORM_JSON;
  if (field.is_map()) {
    const FieldDescriptor& value = *field.message_type()->map_value();
    const bool texts = field.message_type()->map_key()->type() == FieldDescriptor::TYPE_STRING &&
                       value.type() == FieldDescriptor::TYPE_STRING;
    return texts && json ? std::optional(FieldKind::kJsonMap) : std::nullopt;
  }
  switch (field.type()) {
    case FieldDescriptor::TYPE_STRING:
      return json ? FieldKind::kJson : FieldKind::kText;
    case FieldDescriptor::TYPE_BOOL:
      return FieldKind::kBool;
    case FieldDescriptor::TYPE_INT32:
      return FieldKind::kInt32;
    case FieldDescriptor::TYPE_INT64:
      return FieldKind::kInt64;
    case FieldDescriptor::TYPE_DOUBLE:
      return FieldKind::kDouble;
    case FieldDescriptor::TYPE_MESSAGE:
      break;
    default:
      return std::nullopt;
  }
  const std::string& type = field.message_type()->full_name();
  if (type == "google.protobuf.Timestamp") return FieldKind::kTime;
  if (type == "google.protobuf.Value") return FieldKind::kValue;
  if (type == "google.protobuf.Struct") return FieldKind::kStruct;
  return FieldKind::kMessage;
}

bool IsNumber(FieldKind kind) {
  return kind == FieldKind::kInt32 || kind == FieldKind::kInt64;
}

absl::Status Refuse(const FieldDescriptor& field, const std::string& why) {
  return absl::InvalidArgumentError(field.full_name() + ": " + why);
}

absl::Status CheckOptions(const FieldPlan& plan) {
  const rest::v1::JsonField& options = plan.options;
  const bool text = plan.kind == FieldKind::kText;
  if (!text && (options.text() != rest::v1::TEXT_UNSPECIFIED || options.one_of_size() > 0 ||
                options.href())) {
    return Refuse(*plan.field, "`text`, `one_of` and `href` are for strings");
  }
  if (!IsNumber(plan.kind) && (options.has_minimum() || options.has_maximum())) {
    return Refuse(*plan.field, "`minimum` and `maximum` are for whole numbers");
  }
  if (!plan.repeated() && (options.max_items() > 0 || options.unique())) {
    return Refuse(*plan.field, "`max_items` and `unique` are for lists");
  }
  const bool fits = options.form() == rest::v1::FORM_UNSPECIFIED ||
                    (options.form() == rest::v1::FORM_TEXT_OR_NUMBER && text) ||
                    (options.form() == rest::v1::FORM_NUMBER_OR_TEXT && IsNumber(plan.kind)) ||
                    (options.form() == rest::v1::FORM_FLAG && plan.kind == FieldKind::kBool) ||
                    (options.form() == rest::v1::FORM_ZULU && plan.kind == FieldKind::kTime) ||
                    (options.form() == rest::v1::FORM_INSTANT && plan.kind == FieldKind::kTime) ||
                    (options.form() == rest::v1::FORM_JSON &&
                     (plan.kind == FieldKind::kJson || plan.kind == FieldKind::kJsonMap));
  if (!fits) return Refuse(*plan.field, "`form` does not fit the type");
  if (options.place() == rest::v1::PLACE_PATH && (!text || plan.repeated())) {
    return Refuse(*plan.field, "a segment of the path is one string");
  }
  if (options.place() == rest::v1::PLACE_QUERY &&
      (plan.repeated() ||
       !(text || plan.kind == FieldKind::kInt64 || plan.kind == FieldKind::kBool))) {
    return Refuse(*plan.field, "a query value is one string, int64 or bool");
  }
  return absl::OkStatus();
}

}  // namespace

const FieldPlan* MessagePlan::Find(std::string_view proto_name) const {
  for (const FieldPlan& field : fields) {
    if (field.field->name() == proto_name) return &field;
  }
  return nullptr;
}

bool MessagePlan::NeedsBody() const {
  for (const std::size_t index : body) {
    if (fields[index].options.required()) return true;
  }
  return false;
}

absl::Status Plans::Add(const Descriptor* descriptor) {
  const auto [slot, added] = plans_.try_emplace(descriptor, nullptr);
  if (!added) return absl::OkStatus();
  // In place before its fields are looked at: a message may contain itself.
  slot->second = std::make_unique<MessagePlan>();
  MessagePlan& plan = *slot->second;
  plan.descriptor = descriptor;
  plan.closed = descriptor->options().GetExtension(rest::v1::shape).closed();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    FieldPlan planned;
    planned.field = field;
    planned.options = field->options().GetExtension(rest::v1::json);
    const std::optional<FieldKind> kind = KindOf(*field, planned.options.form());
    if (!kind.has_value()) return Refuse(*field, "a document cannot have a field of this type");
    planned.kind = *kind;
    planned.name = planned.options.name().empty() ? field->name() : planned.options.name();
    AppendJsonString(&planned.quoted_key, planned.name);
    planned.quoted_key += ':';
    TROVE_RETURN_IF_ERROR(CheckOptions(planned));
    if (*kind == FieldKind::kMessage) {
      TROVE_RETURN_IF_ERROR(Add(field->message_type()));
      planned.message = plans_.at(field->message_type()).get();
    }

    const std::size_t index = plan.fields.size();
    if (planned.options.place() == rest::v1::PLACE_QUERY) plan.query.push_back(index);
    if (planned.options.place() == rest::v1::PLACE_UNSPECIFIED) {
      plan.body.push_back(index);
      std::vector<std::string> keys(planned.options.alias().begin(), planned.options.alias().end());
      keys.push_back(planned.name);
      for (std::string& key : keys) {
        if (!plan.by_key.emplace(std::move(key), index).second) {
          return Refuse(*field, "another field has the same key");
        }
      }
    }
    plan.fields.push_back(std::move(planned));
  }
  return absl::OkStatus();
}

const MessagePlan& Plans::Of(const Descriptor* descriptor) const {
  const auto found = plans_.find(descriptor);
  TROVE_CHECK(found != plans_.end());
  return *found->second;
}

}  // namespace trove::gateway
