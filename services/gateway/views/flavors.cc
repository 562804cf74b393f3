#include "services/gateway/views/flavors.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>

namespace trove::gateway {
namespace {

// The number that `id` is the usual spelling of.
std::optional<std::int64_t> AsNumber(const std::string& id) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
  if (error != std::errc() || number < 0 || std::to_string(number) != id) return std::nullopt;
  return number;
}

void Fill(const v1::Flavor& from, const Asked& asked, rest::v1::Flavor* to) {
  if (const std::optional<std::int64_t> number = AsNumber(from.id())) to->set_id(*number);
  to->set_str_id(from.id());
  to->set_name(from.name());
  to->set_ram(from.ram_mib());
  to->set_vcpus(from.vcpus());
  to->set_disk(from.disk_gib());
  to->set_ephemeral(from.ephemeral_gib());
  AddLinks(asked.links, "flavors", from.id(), to->mutable_links());
}

}  // namespace

absl::StatusOr<v1::ListFlavorsRequest> ToListFlavors(const rest::v1::ListFlavorsRequest&,
                                                     const Asked&) {
  return v1::ListFlavorsRequest();
}

absl::StatusOr<v1::ListFlavorsRequest> ToListVersionFlavors(
    const rest::v1::ListVersionFlavorsRequest& document, const Asked&) {
  v1::ListFlavorsRequest request;
  request.set_version_id(document.version_id());
  return request;
}

absl::StatusOr<v1::GetFlavorRequest> ToGetFlavor(const rest::v1::ShowFlavorRequest& document,
                                                 const Asked&) {
  v1::GetFlavorRequest request;
  request.set_id(document.id());
  return request;
}

rest::v1::ListFlavorsResponse FlavorsView(const v1::ListFlavorsResponse& flavors,
                                          const Asked& asked) {
  rest::v1::ListFlavorsResponse document;
  for (const v1::Flavor& flavor : flavors.flavors())
    Fill(flavor, asked, document.add_flavors());
  return document;
}

rest::v1::ShowFlavorResponse FlavorView(const v1::Flavor& flavor, const Asked& asked) {
  rest::v1::ShowFlavorResponse document;
  Fill(flavor, asked, document.mutable_flavor());
  return document;
}

}  // namespace trove::gateway
