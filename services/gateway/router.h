#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <boost/json/object.hpp>
#include <google/protobuf/descriptor.h>

#include "trove/rest/v1/binding.pb.h"

#include "services/gateway/codec/decode.h"
#include "services/gateway/codec/plan.h"

namespace trove::gateway {

/// One binding of one rpc.
struct Route {
  const google::protobuf::MethodDescriptor* rpc = nullptr;
  rest::v1::Binding binding;
  std::vector<std::string> parameters;  ///< names of the path's `{}` segments, in order
  std::vector<std::string> action;      ///< keys into the body, outermost first; empty: no dispatch
};

/// What method and path lead to.
struct Match {
  std::vector<const Route*> routes;  ///< one, or several that the body tells apart; never none
  Parameters parameters;             ///< the path's `{}` segments

  /// Whether the body decides between routes.
  bool ByAction() const { return !routes.front()->action.empty(); }
};

/// Finds the rpc of a request, from the bindings of a set of services. Thread-safe once made.
class Router {
 public:
  /// Also makes the plans of every request and response message in `plans`.
  /// Errors: kInvalidArgument: an rpc without a binding, a path whose `{}` segments are not the
  /// path's fields of the request, two bindings that cannot be told apart, or what Plans refuses.
  static absl::StatusOr<std::unique_ptr<Router>> Make(
      const std::vector<const google::protobuf::ServiceDescriptor*>& services, Plans* plans);
  ~Router();

  /// HEAD is looked up as GET. A literal segment is preferred to a parameter; a `.json` behind the
  /// last segment is ignored when nothing has that name. Errors: kUnknownRoute, also for a path
  /// that another method has.
  absl::StatusOr<Match> Find(std::string_view method,
                             const std::vector<std::string>& segments) const;

  /// Every route, in the order of the services.
  const std::vector<std::unique_ptr<Route>>& routes() const { return routes_; }

 private:
  struct Node;
  Router();
  absl::Status Add(const google::protobuf::MethodDescriptor& rpc,
                   const rest::v1::Binding& binding,
                   const Plans& plans);

  std::vector<std::unique_ptr<Route>> routes_;
  std::unique_ptr<Node> root_;
};

/// Chooses among the routes of `match` by the keys of `body`, the first declared first. Errors:
/// kInvalidBody: no key or several keys that are actions; the message lists the actions there are.
absl::StatusOr<const Route*> ChooseAction(const Match& match, const boost::json::object& body);

}  // namespace trove::gateway
