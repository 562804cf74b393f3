#pragma once

#include <string>
#include <string_view>

#include <google/protobuf/repeated_ptr_field.h>

#include "trove/rest/v1/link.pb.h"

#include "services/gateway/url.h"

namespace trove::gateway {

/// Where links begin.
struct LinkBase {
  std::string host;        ///< of the request's Host header, with the port if it has one
  std::string project_id;  ///< the caller's
};

using Links = google::protobuf::RepeatedPtrField<rest::v1::Link>;

/// The self and bookmark links of a resource: https, whatever the request came over, as Trove has
/// it. `collection` is "instances", "datastores/versions" …
void AddLinks(const LinkBase& base,
              std::string_view collection,
              const std::string& id,
              Links* links);

/// Appends the `next` link of a page: the request's URL with another marker. Encoded twice, the
/// marker is right for clients that decode the link once and paste the marker into a URL of their
/// own; encoded once, for those that follow the link.
enum class MarkerEncoding { kOnce, kTwice };
void AddNextLink(const LinkBase& base,
                 const Target& request,
                 const std::string& marker,
                 MarkerEncoding encoding,
                 Links* links);

}  // namespace trove::gateway
