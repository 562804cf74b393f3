#include "services/gateway/views/versions.h"

namespace trove::gateway {

rest::v1::ListVersionsResponse VersionsView(const Asked& asked) {
  rest::v1::ListVersionsResponse document;
  rest::v1::Version* version = document.add_versions();
  version->set_id("v1.0");
  version->set_status("CURRENT");
  version->set_updated("2012-08-01T00:00:00Z");
  rest::v1::Link* link = version->add_links();
  link->set_rel("self");
  link->set_href(asked.scheme + "://" + asked.links.host + "/v1.0/");
  return document;
}

}  // namespace trove::gateway
