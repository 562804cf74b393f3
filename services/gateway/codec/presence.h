#pragma once

#include <map>
#include <string>
#include <string_view>

namespace trove::gateway {

/// Which keys a request carried, by the path of their fields in the .proto
/// ("instance.configuration"): what a message alone cannot say. Keys inside the items of a list are
/// not kept.
class Presence {
 public:
  enum class Kind { kValue, kNull };

  void Add(std::string path, Kind kind) { kinds_.insert_or_assign(std::move(path), kind); }

  /// Whether the key was there, with a value or with null.
  bool Has(std::string_view path) const { return kinds_.find(path) != kinds_.end(); }

  /// Whether the key was there and its value was null.
  bool IsNull(std::string_view path) const {
    const auto found = kinds_.find(path);
    return found != kinds_.end() && found->second == Kind::kNull;
  }

 private:
  std::map<std::string, Kind, std::less<>> kinds_;
};

}  // namespace trove::gateway
