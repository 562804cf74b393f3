#include "services/gateway/router.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <utility>

#include <boost/json/value.hpp>

#include "libtrove/base/status_macros.h"
#include "libtrove/model/errors.h"
#include "services/gateway/codec/text_rules.h"

namespace trove::gateway {
namespace {

using google::protobuf::MethodDescriptor;

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return parts;
}

bool IsParameter(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

absl::Status Refuse(const MethodDescriptor& rpc, const std::string& why) {
  return absl::InvalidArgumentError(rpc.full_name() + ": " + why);
}

bool IsMethod(std::string_view method) {
  for (const std::string_view known : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    if (method == known) return true;
  }
  return false;
}

// How many keys of an action the body has, from the outermost inwards.
std::size_t KeysPresent(const Route& route, const boost::json::object& body) {
  const boost::json::object* object = &body;
  std::size_t present = 0;
  for (const std::string& key : route.action) {
    const boost::json::value* value = object->if_contains(key);
    if (value == nullptr) return present;
    ++present;
    object = value->if_object();
    if (object == nullptr) return present;
  }
  return present;
}

std::string ActionNames(const Match& match) {
  std::string names;
  for (const Route* route : match.routes) {
    if (!names.empty()) names += ", ";
    names += route->binding.action();
  }
  return names;
}

constexpr std::size_t kMaxQuotedPath = 200;

}  // namespace

// A segment of the paths below the root.
struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> parameter;
  std::map<std::string, std::vector<const Route*>, std::less<>> methods;  // that end here

  Node& Child(const std::string& segment) {
    std::unique_ptr<Node>& child = IsParameter(segment) ? parameter : literals[segment];
    if (child == nullptr) child = std::make_unique<Node>();
    return *child;
  }

  // The routes below this node; `values` gets the segments that parameters took.
  const std::vector<const Route*>* Find(std::string_view method,
                                        const std::vector<std::string>& segments,
                                        std::size_t next,
                                        std::vector<std::string>* values) const {
    if (next == segments.size()) {
      const auto found = methods.find(method);
      return found == methods.end() ? nullptr : &found->second;
    }
    if (const auto literal = literals.find(segments[next]); literal != literals.end()) {
      if (const auto* found = literal->second->Find(method, segments, next + 1, values)) {
        return found;
      }
    }
    if (parameter == nullptr || segments[next].empty()) return nullptr;
    values->push_back(segments[next]);
    if (const auto* found = parameter->Find(method, segments, next + 1, values)) return found;
    values->pop_back();
    return nullptr;
  }
};

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;

absl::StatusOr<std::unique_ptr<Router>> Router::Make(
    const std::vector<const google::protobuf::ServiceDescriptor*>& services, Plans* plans) {
  std::unique_ptr<Router> router(new Router);
  for (const google::protobuf::ServiceDescriptor* service : services) {
    for (int i = 0; i < service->method_count(); ++i) {
      const MethodDescriptor& rpc = *service->method(i);
      TROVE_RETURN_IF_ERROR(plans->Add(rpc.input_type()));
      TROVE_RETURN_IF_ERROR(plans->Add(rpc.output_type()));
      const int bindings = rpc.options().ExtensionSize(rest::v1::binding);
      if (bindings == 0) return Refuse(rpc, "has no binding");
      for (int b = 0; b < bindings; ++b) {
        TROVE_RETURN_IF_ERROR(
            router->Add(rpc, rpc.options().GetExtension(rest::v1::binding, b), *plans));
      }
    }
  }
  return router;
}

absl::Status Router::Add(const MethodDescriptor& rpc,
                         const rest::v1::Binding& binding,
                         const Plans& plans) {
  if (!IsMethod(binding.method())) return Refuse(rpc, "unknown method " + binding.method());
  if (binding.path().empty() || binding.path().front() != '/') {
    return Refuse(rpc, "the path must begin with a slash");
  }
  auto route = std::make_unique<Route>();
  route->rpc = &rpc;
  route->binding = binding;
  route->action = Split(binding.action(), '.');

  Node* node = root_.get();
  for (const std::string& segment : Split(std::string_view(binding.path()).substr(1), '/')) {
    if (IsParameter(segment)) route->parameters.push_back(segment.substr(1, segment.size() - 2));
    node = &node->Child(segment);
  }

  std::set<std::string> expected;
  for (const FieldPlan& field : plans.Of(rpc.input_type()).fields) {
    if (field.options.place() == rest::v1::PLACE_PATH) expected.insert(field.field->name());
  }
  if (expected != std::set<std::string>(route->parameters.begin(), route->parameters.end())) {
    return Refuse(rpc, "the path's parameters are not the path's fields of the request");
  }

  std::vector<const Route*>& same = node->methods[binding.method()];
  for (const Route* other : same) {
    if (route->action.empty() || other->action.empty() || route->action == other->action) {
      return Refuse(rpc, "cannot be told from " + other->rpc->full_name());
    }
  }
  same.push_back(route.get());
  routes_.push_back(std::move(route));
  return absl::OkStatus();
}

absl::StatusOr<Match> Router::Find(std::string_view method,
                                   const std::vector<std::string>& segments) const {
  const std::string_view looked_up = method == "HEAD" ? "GET" : method;
  std::vector<std::string> values;
  const auto* found = root_->Find(looked_up, segments, 0, &values);
  constexpr std::string_view kJson = ".json";
  if (found == nullptr && !segments.empty() && segments.back().size() > kJson.size() &&
      std::string_view(segments.back()).substr(segments.back().size() - kJson.size()) == kJson) {
    std::vector<std::string> bare = segments;
    bare.back().resize(bare.back().size() - kJson.size());
    values.clear();
    found = root_->Find(looked_up, bare, 0, &values);
  }
  if (found == nullptr) {
    std::string path;
    for (const std::string& segment : segments)
      path += "/" + segment;
    return MakeError(
        Reason::kUnknownRoute,
        "There is no " + std::string(method).substr(0, 16) + " " + Quote(path, kMaxQuotedPath));
  }
  Match match{.routes = *found};
  for (std::size_t i = 0; i < values.size(); ++i)
    match.parameters.emplace_back(match.routes.front()->parameters[i], std::move(values[i]));
  return match;
}

absl::StatusOr<const Route*> ChooseAction(const Match& match, const boost::json::object& body) {
  const Route* chosen = nullptr;
  const Route* nearest = nullptr;  // its outermost key is there, an inner one is not
  for (const Route* route : match.routes) {
    const std::size_t present = KeysPresent(*route, body);
    if (present == 0) continue;
    if (nearest == nullptr) nearest = route;
    if (present == route->action.size() && chosen == nullptr) chosen = route;
  }
  // Also when we know only one of them: the other would be dropped without a word.
  if (body.size() > 1) {
    return MakeError(Reason::kInvalidBody,
                     "The body has more than one action; give one of: " + ActionNames(match));
  }
  // With one level missing the decoder says what the object lacks.
  if (chosen == nullptr) chosen = nearest;
  if (chosen == nullptr) {
    const std::string got =
        body.empty() ? "no action"
                     : "the unknown action " +
                           Quote({body.begin()->key().data(), body.begin()->key().size()});
    return MakeError(Reason::kInvalidBody,
                     "The body has " + got + "; give one of: " + ActionNames(match));
  }
  return chosen;
}

}  // namespace trove::gateway
