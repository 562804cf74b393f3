#pragma once

#include <string>

#include "trove/rest/v1/binding.pb.h"

#include "services/gateway/codec/presence.h"
#include "services/gateway/links.h"
#include "services/gateway/url.h"

namespace trove::gateway {

/// What a mapper may want to know of a request besides its document.
struct Asked {
  LinkBase links;
  std::string scheme;  ///< "http" or "https", as the request came
  Target target;
  rest::v1::View view = rest::v1::VIEW_UNSPECIFIED;
  Presence presence;
  std::string region;          ///< the one that this installation is
  std::string request_id;      ///< of Idempotency-Key; empty: none
  bool validate_only = false;  ///< nothing may change: the answer is a plan
  std::string last_event_id;   ///< of Last-Event-ID; empty: none
};

}  // namespace trove::gateway
