#include "services/gateway/codec/decode.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string_view>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <google/protobuf/struct.pb.h>

#include "libtrove/model/errors.h"
#include "libtrove/model/validation.h"
#include "services/gateway/codec/json_text.h"
#include "services/gateway/codec/text_rules.h"

namespace trove::gateway {
namespace {

namespace json = boost::json;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr std::size_t kMaxViolations = 10;

std::string_view View(json::string_view text) {
  return {text.data(), text.size()};
}

// Where the decoder is, in both spellings: as the client wrote it and as the .proto has it.
struct Path {
  std::string shown;  // instance['nics'][0]['net-id']
  std::string proto;  // instance.nics; empty inside the items of a list
  bool in_list = false;

  Path Key(std::string_view key, const FieldPlan& field) const {
    Path inner = Shown(shown.empty() ? std::string(key) : "['" + std::string(key) + "']");
    inner.proto = proto.empty() ? field.field->name() : proto + "." + field.field->name();
    return inner;
  }
  Path Item(std::size_t index) const {
    Path inner = Shown("[" + std::to_string(index) + "]");
    inner.in_list = true;
    return inner;
  }

 private:
  Path Shown(const std::string& more) const { return {shown + more, proto, in_list}; }
};

// What was found wrong so far. A hostile body can be wrong a hundred thousand times: the first few
// are told.
class Violations {
 public:
  void Add(const Path& path, std::string what) {
    if (violations_.size() == kMaxViolations) {
      ++untold_;
      return;
    }
    violations_.push_back({path.shown, std::move(what)});
  }

  absl::Status ToStatus() && {
    if (violations_.empty()) return absl::OkStatus();
    std::string message = "Validation error: ";
    for (const FieldViolation& violation : violations_) {
      if (&violation != &violations_.front()) message += "; ";
      if (!violation.field.empty()) message += violation.field + " ";
      message += violation.description;
    }
    if (untold_ > 0) message += "; and " + std::to_string(untold_) + " more";
    return MakeError(Reason::kInvalidField, std::move(message), {.violations = violations_});
  }

 private:
  std::vector<FieldViolation> violations_;
  std::size_t untold_ = 0;
};

// A value as a message shows it.
std::string Show(const FieldPlan& field, const json::value& value) {
  if (field.options.secret()) return "the value";
  if (value.is_string()) return Quote(View(value.get_string()));
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  return json::serialize(value);
}

const char* TypeName(const FieldPlan& field) {
  switch (field.kind) {
    case FieldKind::kText:
      return "string";
    case FieldKind::kBool:
      return "boolean";
    case FieldKind::kInt32:
    case FieldKind::kInt64:
      return "integer";
    case FieldKind::kDouble:
      return "number";
    case FieldKind::kTime:
      return "time";
    default:
      return "object";
  }
}

std::optional<std::int64_t> WholeNumber(const json::value& value) {
  if (value.is_int64()) return value.get_int64();
  // The parser takes this form for what int64 cannot hold.
  if (value.is_uint64()) return std::numeric_limits<std::int64_t>::max();
  return std::nullopt;
}

// Decimal digits, at most 40; more than int64 holds is its greatest number.
std::optional<std::int64_t> WholeNumber(std::string_view text) {
  if (text.empty() || text.size() > 40) return std::nullopt;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    return text.front() == '-' ? std::numeric_limits<std::int64_t>::min()
                               : std::numeric_limits<std::int64_t>::max();
  }
  if (error != std::errc()) return std::nullopt;
  return number;
}

void ToProto(const json::value& from, google::protobuf::Value* to);

void ToProto(const json::object& from, google::protobuf::Struct* to) {
  for (const auto& [key, value] : from) {
    ToProto(value, &(*to->mutable_fields())[std::string(key.data(), key.size())]);
  }
}

void ToProto(const json::value& from, google::protobuf::Value* to) {
  switch (from.kind()) {
    case json::kind::null:
      to->set_null_value(google::protobuf::NULL_VALUE);
      return;
    case json::kind::bool_:
      to->set_bool_value(from.get_bool());
      return;
    case json::kind::string:
      to->set_string_value(std::string(View(from.get_string())));
      return;
    case json::kind::object:
      ToProto(from.get_object(), to->mutable_struct_value());
      return;
    case json::kind::array:
      to->mutable_list_value();
      for (const json::value& item : from.get_array())
        ToProto(item, to->mutable_list_value()->add_values());
      return;
    default:
      to->set_number_value(from.to_number<double>());
  }
}

// A value as JSON, so that a reader can tell 2 from 2.0.
std::string JsonOf(const json::value& value) {
  if (!value.is_double()) return json::serialize(value);
  std::string text;
  AppendJsonNumber(&text, value.get_double());
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

// What is wrong with a text by the field's rules; `shown` is the text as a message has it.
std::optional<std::string> WrongText(const FieldPlan& field,
                                     std::string_view text,
                                     const std::string& shown) {
  if (std::optional<std::string> wrong = BreaksRule(field.options.text(), text)) {
    return shown + " " + *wrong;
  }
  const auto& allowed = field.options.one_of();
  if (allowed.empty() || std::find(allowed.begin(), allowed.end(), text) != allowed.end())
    return std::nullopt;
  std::string list;
  for (const std::string& word : allowed)
    list += (list.empty() ? "'" : ", '") + word + "'";
  return shown + " is not one of [" + list + "]";
}

// The same of a number.
std::optional<std::string> WrongNumber(const FieldPlan& field,
                                       std::int64_t number,
                                       const std::string& shown) {
  if (field.options.has_minimum() && number < field.options.minimum()) {
    return shown + " is less than the minimum of " + std::to_string(field.options.minimum());
  }
  if (field.options.has_maximum() && number > field.options.maximum()) {
    return shown + " is greater than the maximum of " + std::to_string(field.options.maximum());
  }
  return std::nullopt;
}

class Decoder {
 public:
  Decoder(Presence* presence, Violations* violations)
      : presence_(presence), violations_(violations) {}

  void Object(const MessagePlan& plan,
              const json::object& object,
              const Path& path,
              Message* message) {
    std::set<std::size_t> seen;
    for (const auto& member : object) {
      const std::string key(member.key().data(), member.key().size());
      const auto found = plan.by_key.find(key);
      if (found == plan.by_key.end()) {
        if (plan.closed) {
          violations_->Add(
              path, "Additional properties are not allowed (" + Quote(key) + " was unexpected)");
        }
        continue;
      }
      const FieldPlan& field = plan.fields[found->second];
      // Two names of one field: its own name is the one that counts.
      if (!seen.insert(found->second).second) {
        if (key != field.name) continue;
        message->GetReflection()->ClearField(message, field.field);
      }
      Field(field, member.value(), path.Key(key, field), message);
    }
    for (const std::size_t index : plan.body) {
      const FieldPlan& field = plan.fields[index];
      if (field.options.required() && seen.count(index) == 0) {
        violations_->Add(path, "'" + field.name + "' is a required property");
      }
    }
  }

 private:
  void Field(const FieldPlan& field, const json::value& value, const Path& path, Message* message) {
    const bool null =
        value.is_null() && field.kind != FieldKind::kValue && field.kind != FieldKind::kJson;
    if (null && field.options.null() == rest::v1::NULL_ABSENT) return;
    if (!path.in_list) {
      presence_->Add(path.proto, value.is_null() ? Presence::Kind::kNull : Presence::Kind::kValue);
    }
    if (null && field.options.null() == rest::v1::NULL_MEANT) return;
    if (!field.repeated()) {
      Value(field, value, path, message);
      return;
    }
    if (!value.is_array()) {
      violations_->Add(path, Show(field, value) + " is not of type 'array'");
      return;
    }
    List(field, value.get_array(), path, message);
  }

  void List(const FieldPlan& field, const json::array& list, const Path& path, Message* message) {
    const auto most = static_cast<std::size_t>(field.options.max_items());
    if (most > 0 && list.size() > most) {
      violations_->Add(path,
                       "the list is too long (" + std::to_string(most) +
                           (most == 1 ? " item" : " items") + " at most)");
      return;
    }
    std::set<std::string> different;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (field.options.unique() && !different.insert(json::serialize(list[i])).second) {
        violations_->Add(path, "the list has non-unique elements");
        return;
      }
      Value(field, list[i], path.Item(i), message);
    }
  }

  // One value: a field that is no list, or an item of one.
  void Value(const FieldPlan& field, const json::value& value, const Path& path, Message* message) {
    const Reflection& reflection = *message->GetReflection();
    switch (field.kind) {
      case FieldKind::kText:
        if (std::optional<std::string> text = Text(field, value, path)) {
          field.repeated() ? reflection.AddString(message, field.field, std::move(*text))
                           : reflection.SetString(message, field.field, std::move(*text));
        }
        return;
      case FieldKind::kBool:
        if (const std::optional<bool> on = Bool(field, value, path)) {
          field.repeated() ? reflection.AddBool(message, field.field, *on)
                           : reflection.SetBool(message, field.field, *on);
        }
        return;
      case FieldKind::kInt32:
      case FieldKind::kInt64:
        if (const std::optional<std::int64_t> number = Number(field, value, path)) {
          Set(field, *number, path, message);
        }
        return;
      case FieldKind::kDouble:
        if (!value.is_number()) return WrongType(field, value, path);
        field.repeated() ? reflection.AddDouble(message, field.field, value.to_number<double>())
                         : reflection.SetDouble(message, field.field, value.to_number<double>());
        return;
      case FieldKind::kValue:
        ToProto(value, static_cast<google::protobuf::Value*>(Nested(field, message)));
        return;
      case FieldKind::kStruct:
        if (!value.is_object()) return WrongType(field, value, path);
        ToProto(value.get_object(), static_cast<google::protobuf::Struct*>(Nested(field, message)));
        return;
      case FieldKind::kMessage:
        if (!value.is_object()) return WrongType(field, value, path);
        Object(*field.message, value.get_object(), path, Nested(field, message));
        return;
      case FieldKind::kTime:
        return WrongType(field, value, path);  // no request of Trove's carries a time
      case FieldKind::kJson:
        field.repeated() ? reflection.AddString(message, field.field, JsonOf(value))
                         : reflection.SetString(message, field.field, JsonOf(value));
        return;
      case FieldKind::kJsonMap:
        if (!value.is_object()) return WrongType(field, value, path);
        return Map(field, value.get_object(), message);
    }
  }

  static Message* Nested(const FieldPlan& field, Message* message) {
    return field.repeated() ? message->GetReflection()->AddMessage(message, field.field)
                            : message->GetReflection()->MutableMessage(message, field.field);
  }

  static void Map(const FieldPlan& field, const json::object& object, Message* message) {
    for (const auto& member : object) {
      Message* entry = message->GetReflection()->AddMessage(message, field.field);
      const Reflection& of_entry = *entry->GetReflection();
      of_entry.SetString(entry,
                         field.field->message_type()->map_key(),
                         std::string(member.key().data(), member.key().size()));
      of_entry.SetString(entry, field.field->message_type()->map_value(), JsonOf(member.value()));
    }
  }

  void Set(const FieldPlan& field, std::int64_t number, const Path& path, Message* message) {
    const Reflection& reflection = *message->GetReflection();
    if (field.kind == FieldKind::kInt64) {
      field.repeated() ? reflection.AddInt64(message, field.field, number)
                       : reflection.SetInt64(message, field.field, number);
      return;
    }
    const auto narrow = static_cast<std::int32_t>(number);
    if (narrow != number) {
      violations_->Add(path, std::to_string(number) + " is out of range");
      return;
    }
    field.repeated() ? reflection.AddInt32(message, field.field, narrow)
                     : reflection.SetInt32(message, field.field, narrow);
  }

  std::optional<std::string> Text(const FieldPlan& field,
                                  const json::value& value,
                                  const Path& path) {
    std::string text;
    if (value.is_string()) {
      text = View(value.get_string());
    } else if (field.options.form() == rest::v1::FORM_TEXT_OR_NUMBER &&
               (value.is_int64() || value.is_uint64())) {
      text = json::serialize(value);
    } else {
      WrongType(field, value, path);
      return std::nullopt;
    }
    if (field.options.href()) text = std::string(IdOfHref(text));
    if (std::optional<std::string> wrong = WrongText(field, text, Show(field, value))) {
      violations_->Add(path, std::move(*wrong));
      return std::nullopt;
    }
    return text;
  }

  std::optional<bool> Bool(const FieldPlan& field, const json::value& value, const Path& path) {
    if (value.is_bool()) return value.get_bool();
    if (field.options.form() == rest::v1::FORM_FLAG) {
      const std::optional<std::int64_t> number = WholeNumber(value);
      if (number == 0 || number == 1) return *number == 1;
      violations_->Add(path, Show(field, value) + " is not one of [0, 1]");
      return std::nullopt;
    }
    WrongType(field, value, path);
    return std::nullopt;
  }

  std::optional<std::int64_t> Number(const FieldPlan& field,
                                     const json::value& value,
                                     const Path& path) {
    std::optional<std::int64_t> number = WholeNumber(value);
    if (!number.has_value() && value.is_string() &&
        field.options.form() == rest::v1::FORM_NUMBER_OR_TEXT) {
      number = WholeNumber(View(value.get_string()));
    }
    if (!number.has_value()) {
      WrongType(field, value, path);
    } else if (std::optional<std::string> wrong = WrongNumber(field, *number, Show(field, value))) {
      violations_->Add(path, std::move(*wrong));
      return std::nullopt;
    }
    return number;
  }

  void WrongType(const FieldPlan& field, const json::value& value, const Path& path) {
    violations_->Add(path, Show(field, value) + " is not of type '" + TypeName(field) + "'");
  }

  Presence* presence_;
  Violations* violations_;
};

bool IsTrue(std::string_view text) {
  constexpr std::string_view kTrue = "true";
  return text.size() == kTrue.size() &&
         std::equal(text.begin(), text.end(), kTrue.begin(), [](char a, char b) {
           return (a | 0x20) == b;
         });
}

}  // namespace

absl::Status DecodeBody(const Plans& plans,
                        const json::object& body,
                        Message* request,
                        Presence* presence) {
  Violations violations;
  Decoder(presence, &violations).Object(plans.Of(request->GetDescriptor()), body, {}, request);
  return std::move(violations).ToStatus();
}

absl::Status DecodeQuery(const Plans& plans,
                         const Parameters& query,
                         Message* request,
                         Presence* presence) {
  const MessagePlan& plan = plans.Of(request->GetDescriptor());
  const Reflection& reflection = *request->GetReflection();
  Violations violations;
  for (const std::size_t index : plan.query) {
    const FieldPlan& field = plan.fields[index];
    const std::string* value = nullptr;
    for (const auto& [name, text] : query) {
      if (name == field.name) value = &text;
    }
    if (value == nullptr) continue;
    const Path path{field.name, field.field->name()};
    presence->Add(path.proto, Presence::Kind::kValue);
    if (field.kind == FieldKind::kBool) {
      // Python clients write False, and whatever is not `true` is not meant.
      reflection.SetBool(request, field.field, IsTrue(*value));
    } else if (!IsUtf8(*value)) {
      violations.Add(path, "is not UTF-8");
    } else if (field.kind == FieldKind::kText) {
      if (std::optional<std::string> wrong = WrongText(field, *value, Quote(*value))) {
        violations.Add(path, std::move(*wrong));
      } else {
        reflection.SetString(request, field.field, *value);
      }
    } else {
      const std::optional<std::int64_t> number = WholeNumber(*value);
      if (!number.has_value()) {
        violations.Add(path, Quote(*value) + " is not of type 'integer'");
      } else if (std::optional<std::string> wrong = WrongNumber(field, *number, *value)) {
        violations.Add(path, std::move(*wrong));
      } else {
        reflection.SetInt64(request, field.field, *number);
      }
    }
  }
  return std::move(violations).ToStatus();
}

absl::Status DecodePath(const Plans& plans, const Parameters& segments, Message* request) {
  const MessagePlan& plan = plans.Of(request->GetDescriptor());
  for (const auto& [name, value] : segments) {
    if (!IsUtf8(value)) return FieldError(name, "the path is not UTF-8");
    if (const FieldPlan* field = plan.Find(name)) {
      request->GetReflection()->SetString(request, field->field, value);
    }
  }
  return absl::OkStatus();
}

}  // namespace trove::gateway
