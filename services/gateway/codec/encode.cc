#include "services/gateway/codec/encode.h"

#include <cstdint>
#include <map>

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include "services/gateway/codec/json_text.h"

namespace trove::gateway {
namespace {

using google::protobuf::Message;
using google::protobuf::Reflection;

bool SeenBy(const rest::v1::JsonField& options, const Audience& audience) {
  if (options.admin() && !audience.admin) return false;
  using rest::v1::View;
  const View view = audience.view;
  switch (options.seen()) {
    case rest::v1::SEEN_DETAIL:
      return view != rest::v1::VIEW_LIST;
    case rest::v1::SEEN_SINGLE:
      return view == rest::v1::VIEW_SHOW || view == rest::v1::VIEW_CREATE;
    case rest::v1::SEEN_SHOW:
      return view == rest::v1::VIEW_SHOW;
    case rest::v1::SEEN_CREATE:
      return view == rest::v1::VIEW_CREATE;
    default:
      return true;
  }
}

void AppendValue(std::string* out, const google::protobuf::Value& value);

void AppendStruct(std::string* out, const google::protobuf::Struct& object) {
  // The map has no order of its own; a document must not change from one answer to the next.
  const std::map<std::string, const google::protobuf::Value*> sorted = [&object] {
    std::map<std::string, const google::protobuf::Value*> fields;
    for (const auto& [key, value] : object.fields())
      fields.emplace(key, &value);
    return fields;
  }();
  out->push_back('{');
  const char* separator = "";
  for (const auto& [key, value] : sorted) {
    out->append(separator);
    AppendJsonString(out, key);
    out->push_back(':');
    AppendValue(out, *value);
    separator = ",";
  }
  out->push_back('}');
}

void AppendValue(std::string* out, const google::protobuf::Value& value) {
  switch (value.kind_case()) {
    case google::protobuf::Value::kBoolValue:
      out->append(value.bool_value() ? "true" : "false");
      return;
    case google::protobuf::Value::kNumberValue:
      AppendJsonNumber(out, value.number_value());
      return;
    case google::protobuf::Value::kStringValue:
      AppendJsonString(out, value.string_value());
      return;
    case google::protobuf::Value::kStructValue:
      AppendStruct(out, value.struct_value());
      return;
    case google::protobuf::Value::kListValue: {
      out->push_back('[');
      const char* separator = "";
      for (const google::protobuf::Value& item : value.list_value().values()) {
        out->append(separator);
        AppendValue(out, item);
        separator = ",";
      }
      out->push_back(']');
      return;
    }
    default:
      out->append("null");
  }
}

class Encoder {
 public:
  Encoder(const Audience& audience, std::string* out) : audience_(audience), out_(out) {}

  void Object(const MessagePlan& plan, const Message& message) {
    const Reflection& reflection = *message.GetReflection();
    out_->push_back('{');
    bool first = true;
    for (const FieldPlan& field : plan.fields) {
      if (!SeenBy(field.options, audience_)) continue;
      const bool nothing = IsNothing(field, message, reflection);
      if (nothing && LeftOut(field)) continue;
      if (!first) out_->push_back(',');
      first = false;
      out_->append(field.quoted_key);
      if (nothing && field.options.absent() == rest::v1::ABSENT_NULL) {
        out_->append("null");
      } else if (field.repeated()) {
        List(field, message, reflection);
      } else {
        Single(field, message, reflection);
      }
    }
    out_->push_back('}');
  }

 private:
  // Whether there is something to write: without presence an empty text or a zero is nothing.
  static bool IsNothing(const FieldPlan& field,
                        const Message& message,
                        const Reflection& reflection) {
    if (field.kind == FieldKind::kJsonMap) return false;
    if (field.repeated()) return reflection.FieldSize(message, field.field) == 0;
    return !reflection.HasField(message, field.field);
  }

  static bool LeftOut(const FieldPlan& field) {
    if (field.options.absent() == rest::v1::ABSENT_OMITTED) return true;
    return field.options.absent() == rest::v1::ABSENT_UNSPECIFIED && field.field->has_presence();
  }

  void Single(const FieldPlan& field, const Message& message, const Reflection& reflection) {
    switch (field.kind) {
      case FieldKind::kText:
        AppendJsonString(out_, reflection.GetStringReference(message, field.field, &scratch_));
        return;
      case FieldKind::kJson:
        AppendJson(out_, reflection.GetStringReference(message, field.field, &scratch_));
        return;
      case FieldKind::kJsonMap:
        Map(field, message, reflection);
        return;
      case FieldKind::kBool:
        Bool(field, reflection.GetBool(message, field.field));
        return;
      case FieldKind::kInt32:
        AppendJsonInteger(out_, std::int64_t{reflection.GetInt32(message, field.field)});
        return;
      case FieldKind::kInt64:
        AppendJsonInteger(out_, reflection.GetInt64(message, field.field));
        return;
      case FieldKind::kDouble:
        AppendJsonNumber(out_, reflection.GetDouble(message, field.field));
        return;
      default:
        Nested(field, reflection.GetMessage(message, field.field));
    }
  }

  void List(const FieldPlan& field, const Message& message, const Reflection& reflection) {
    out_->push_back('[');
    const int size = reflection.FieldSize(message, field.field);
    for (int i = 0; i < size; ++i) {
      if (i > 0) out_->push_back(',');
      Item(field, message, reflection, i);
    }
    out_->push_back(']');
  }

  // In the order of the keys: the map has none, and a document must not change from one answer to
  // the next.
  void Map(const FieldPlan& field, const Message& message, const Reflection& reflection) {
    std::map<std::string, std::string> sorted;
    const int size = reflection.FieldSize(message, field.field);
    for (int i = 0; i < size; ++i) {
      const Message& entry = reflection.GetRepeatedMessage(message, field.field, i);
      const Reflection& of_entry = *entry.GetReflection();
      sorted.emplace(of_entry.GetString(entry, field.field->message_type()->map_key()),
                     of_entry.GetString(entry, field.field->message_type()->map_value()));
    }
    out_->push_back('{');
    const char* separator = "";
    for (const auto& [key, value] : sorted) {
      out_->append(separator);
      AppendJsonString(out_, key);
      out_->push_back(':');
      AppendJson(out_, value);
      separator = ",";
    }
    out_->push_back('}');
  }

  void Item(const FieldPlan& field,
            const Message& message,
            const Reflection& reflection,
            int index) {
    switch (field.kind) {
      case FieldKind::kText:
        AppendJsonString(
            out_, reflection.GetRepeatedStringReference(message, field.field, index, &scratch_));
        return;
      case FieldKind::kJson:
        AppendJson(out_,
                   reflection.GetRepeatedStringReference(message, field.field, index, &scratch_));
        return;
      case FieldKind::kBool:
        Bool(field, reflection.GetRepeatedBool(message, field.field, index));
        return;
      case FieldKind::kInt32:
        AppendJsonInteger(out_,
                          std::int64_t{reflection.GetRepeatedInt32(message, field.field, index)});
        return;
      case FieldKind::kInt64:
        AppendJsonInteger(out_, reflection.GetRepeatedInt64(message, field.field, index));
        return;
      case FieldKind::kDouble:
        AppendJsonNumber(out_, reflection.GetRepeatedDouble(message, field.field, index));
        return;
      default:
        Nested(field, reflection.GetRepeatedMessage(message, field.field, index));
    }
  }

  void Bool(const FieldPlan& field, bool value) {
    if (field.options.form() == rest::v1::FORM_FLAG) {
      out_->push_back(value ? '1' : '0');
    } else {
      out_->append(value ? "true" : "false");
    }
  }

  void Time(const FieldPlan& field, const google::protobuf::Timestamp& time) {
    if (field.options.form() == rest::v1::FORM_INSTANT) {
      AppendJsonInstant(out_, time.seconds(), time.nanos());
    } else {
      AppendJsonTime(
          out_,
          time.seconds(),
          field.options.form() == rest::v1::FORM_ZULU ? TimeZoneMark::kZulu : TimeZoneMark::kNone);
    }
  }

  void Nested(const FieldPlan& field, const Message& message) {
    switch (field.kind) {
      case FieldKind::kTime:
        Time(field, static_cast<const google::protobuf::Timestamp&>(message));
        return;
      case FieldKind::kValue:
        AppendValue(out_, static_cast<const google::protobuf::Value&>(message));
        return;
      case FieldKind::kStruct:
        AppendStruct(out_, static_cast<const google::protobuf::Struct&>(message));
        return;
      default:
        Object(*field.message, message);
    }
  }

  const Audience audience_;
  std::string* out_;
  std::string scratch_;
};

}  // namespace

void EncodeDocument(const Plans& plans,
                    const Message& document,
                    const Audience& audience,
                    std::string* out) {
  Encoder(audience, out).Object(plans.Of(document.GetDescriptor()), document);
}

}  // namespace trove::gateway
