#pragma once

#include <string>

#include <google/protobuf/message.h>

#include "trove/rest/v1/binding.pb.h"

#include "services/gateway/codec/plan.h"

namespace trove::gateway {

/// Who a document is for.
struct Audience {
  rest::v1::View view = rest::v1::VIEW_UNSPECIFIED;
  bool admin = false;
};

/// Appends `document` as JSON to `out`: the fields that `audience` may see, in the order of the
/// .proto, without white space.
void EncodeDocument(const Plans& plans,
                    const google::protobuf::Message& document,
                    const Audience& audience,
                    std::string* out);

}  // namespace trove::gateway
