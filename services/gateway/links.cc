#include "services/gateway/links.h"

namespace trove::gateway {
namespace {

void Add(const char* rel, std::string href, Links* links) {
  rest::v1::Link* link = links->Add();
  link->set_rel(rel);
  link->set_href(std::move(href));
}

}  // namespace

void AddLinks(const LinkBase& base,
              std::string_view collection,
              const std::string& id,
              Links* links) {
  const std::string origin = "https://" + base.host;
  std::string resource = "/";
  resource.append(collection).append("/").append(id);
  Add("self", origin + "/v1.0/" + base.project_id + resource, links);
  Add("bookmark", origin + resource, links);
}

void AddNextLink(const LinkBase& base,
                 const Target& request,
                 const std::string& marker,
                 MarkerEncoding encoding,
                 Links* links) {
  std::string href = "https://" + base.host + request.path + "?";
  for (const auto& [name, value] : request.query) {
    if (name == "marker") continue;
    href += PercentEncode(name) + "=" + PercentEncode(value) + "&";
  }
  const std::string once = PercentEncode(marker);
  href += "marker=" + (encoding == MarkerEncoding::kTwice ? PercentEncode(once) : once);
  Add("next", std::move(href), links);
}

}  // namespace trove::gateway
