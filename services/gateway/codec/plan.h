#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <absl/status/status.h>
#include <google/protobuf/descriptor.h>

#include "trove/rest/v1/binding.pb.h"

namespace trove::gateway {

struct MessagePlan;

/// What a field is to the codec. Everything else that protobuf knows has no place in a document.
enum class FieldKind {
  kText,
  kBool,
  kInt32,
  kInt64,
  kDouble,
  kMessage,
  kTime,    ///< google.protobuf.Timestamp
  kValue,   ///< google.protobuf.Value: any JSON
  kStruct,  ///< google.protobuf.Struct: any JSON object
  kJson,    ///< a string that is JSON itself
  kJsonMap  ///< a map<string, string>, read and written as an object; its values are JSON
            ///< themselves
};

/// One field of a document, worked out once.
struct FieldPlan {
  const google::protobuf::FieldDescriptor* field = nullptr;
  FieldKind kind = FieldKind::kText;
  std::string name;                      ///< the JSON key
  std::string quoted_key;                ///< the JSON key as it is written: `"name":`
  rest::v1::JsonField options;           ///< what the .proto says
  const MessagePlan* message = nullptr;  ///< of kMessage

  /// Whether it is a list.
  bool repeated() const { return field->is_repeated() && kind != FieldKind::kJsonMap; }
};

/// One document, or an object inside one.
struct MessagePlan {
  const google::protobuf::Descriptor* descriptor = nullptr;
  bool closed = false;             ///< unknown keys are refused
  std::vector<FieldPlan> fields;   ///< in the order of the .proto, which is the order of writing
  std::vector<std::size_t> query;  ///< indices into `fields` of those in the query string
  std::vector<std::size_t> body;   ///< indices into `fields` of those in the body
  std::map<std::string, std::size_t, std::less<>>
      by_key;  ///< body keys and their aliases, as indices into `fields`

  /// The field with this name in the .proto; null when there is none.
  const FieldPlan* Find(std::string_view proto_name) const;
  /// Whether a request without a body can be complete.
  bool NeedsBody() const;
};

/// The plans of every document, made at start-up and only read afterwards. Thread-safe once filled.
class Plans {
 public:
  Plans() = default;
  Plans(const Plans&) = delete;
  Plans& operator=(const Plans&) = delete;

  /// Makes the plan of a message and of all that it contains. Errors: kInvalidArgument names a
  /// field that no document can have: an enum, a map of another kind, bytes, two fields with one
  /// key, an option that does not fit the type.
  absl::Status Add(const google::protobuf::Descriptor* descriptor);

  /// The plan of a message that was added, itself or inside another one.
  const MessagePlan& Of(const google::protobuf::Descriptor* descriptor) const;

 private:
  std::unordered_map<const google::protobuf::Descriptor*, std::unique_ptr<MessagePlan>> plans_;
};

}  // namespace trove::gateway
