#include "services/api/choices.h"

#include <algorithm>

#include "libtrove/model/errors.h"

namespace trove::api {

std::string VersionsOf(const Datastore& datastore) {
  std::string known;
  for (const DatastoreVersion& version : datastore.versions) {
    if (!version.active) continue;
    known += (known.empty() ? "" : ", ") + version.name;
    if (version.number != version.name) known += " (number " + version.number + ")";
  }
  return known.empty() ? "none" : known;
}

absl::StatusOr<const Datastore*> ChooseDatastore(const std::vector<Datastore>& datastores,
                                                 const std::string& wanted) {
  for (const Datastore& datastore : datastores) {
    if (datastore.id.value() == wanted || datastore.name == wanted) return &datastore;
  }
  std::string known;
  for (const Datastore& datastore : datastores)
    known += (known.empty() ? "" : ", ") + datastore.name;
  return MakeError(Reason::kDatastoreNotFound,
                   "there is no datastore " + wanted + "; there are: " + known,
                   {.violations = {{"datastore", "must be one of: " + known}}});
}

absl::StatusOr<const DatastoreVersion*> ChooseVersion(const Datastore& datastore,
                                                      const std::string& wanted,
                                                      const std::string& number) {
  const auto refuse = [&](Reason reason, const std::string& message) {
    return MakeError(reason, message, {.violations = {{"datastore_version", message}}});
  };
  std::vector<const DatastoreVersion*> found;
  for (const DatastoreVersion& version : datastore.versions) {
    const bool named = wanted.empty() ? version.id == datastore.default_version_id
                                      : version.id.value() == wanted || version.name == wanted;
    if (named && (number.empty() || version.number == number)) found.push_back(&version);
  }
  if (found.empty()) {
    std::string message = datastore.name + " has no ";
    if (wanted.empty() && number.empty()) {
      message += "default version, so that one must be named";
    } else {
      message += wanted.empty() ? "default version" : "version " + wanted;
      if (!number.empty()) message += " with the number " + number;
    }
    return refuse(Reason::kVersionUnknown, message + "; there are: " + VersionsOf(datastore));
  }
  if (found.size() > 1) {
    return refuse(Reason::kVersionUnknown,
                  datastore.name + " has several versions named " + wanted +
                      ": give the version number or the id");
  }
  if (!found[0]->active) {
    return refuse(
        Reason::kVersionInactive,
        datastore.name + " " + found[0]->name + " is not offered any more: choose another version");
  }
  return found[0];
}

absl::StatusOr<const Flavor*> ChooseFlavor(const std::vector<Flavor>& flavors,
                                           const std::string& wanted) {
  for (const Flavor& flavor : flavors) {
    if (flavor.id.value() == wanted) return &flavor;
  }
  std::string known;
  for (const Flavor& flavor : flavors)
    known += (known.empty() ? "" : ", ") + flavor.id.value();
  const std::string message =
      (wanted.empty() ? std::string("a flavor is needed") : "there is no flavor " + wanted) +
      "; there are: " + known;
  return MakeError(Reason::kFlavorUnknown, message, {.violations = {{"flavor_id", message}}});
}

absl::StatusOr<const Manifest*> ManifestOf(const std::vector<Manifest>& manifests,
                                           const std::string& datastore) {
  const auto found = std::find_if(manifests.begin(), manifests.end(), [&](const Manifest& each) {
    return each.datastore.name == datastore;
  });
  if (found != manifests.end()) return &*found;
  return MakeError(Reason::kVersionInactive,
                   datastore + " has no guest agent here: choose another datastore");
}

}  // namespace trove::api
