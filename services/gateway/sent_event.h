#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <google/protobuf/message.h>

namespace trove::gateway {

/// One event of an answer that goes on (Server-Sent Events, HTML Living Standard 9.2).
struct SentEvent {
  std::string id;    ///< what a client says in Last-Event-ID
  std::string type;  ///< `operation`, or as `trove.instance.created`
  std::shared_ptr<const google::protobuf::Message> document;
};

/// How long a client waits before it comes back.
std::string RetryField(int milliseconds);

/// An event as it is sent; an empty id is left out. A line break in `data` begins a new line of
/// data; `id` and `type` have none.
std::string EventText(std::string_view id, std::string_view type, std::string_view data);

}  // namespace trove::gateway
