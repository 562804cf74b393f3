#pragma once

#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <boost/json/object.hpp>
#include <google/protobuf/message.h>

#include "services/gateway/codec/plan.h"
#include "services/gateway/codec/presence.h"

namespace trove::gateway {

/// Names and values, percent-decoded, in the order of the request.
using Parameters = std::vector<std::pair<std::string, std::string>>;

/// Fills the body's fields of `request` from `body` and notes the keys that were there.
/// Errors: kInvalidField, with every violation, in Trove's words: "Validation error:
/// instance['volume'] 'size' is a required property; …". No value of a secret field is quoted.
absl::Status DecodeBody(const Plans& plans,
                        const boost::json::object& body,
                        google::protobuf::Message* request,
                        Presence* presence);

/// Fills the query's fields of `request`; names that no field has are ignored, and of two values of
/// one name the last counts. Errors: as DecodeBody.
absl::Status DecodeQuery(const Plans& plans,
                         const Parameters& query,
                         google::protobuf::Message* request,
                         Presence* presence);

/// Fills the path's fields of `request`, taking them literally. Errors: kInvalidField: not UTF-8.
absl::Status DecodePath(const Plans& plans,
                        const Parameters& segments,
                        google::protobuf::Message* request);

}  // namespace trove::gateway
