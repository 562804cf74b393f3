#pragma once

#include <cstddef>
#include <string>
#include <utility>

namespace trove {

/// A text that must never be shown: no operator<<, no formatter, so that logging it does not
/// compile. Overwrites its memory when it dies.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret& other) {
    if (this != &other) {
      Wipe();
      value_ = other.value_;
    }
    return *this;
  }
  Secret(Secret&& other) noexcept : value_(std::move(other.value_)) { other.Wipe(); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      Wipe();
      value_ = std::move(other.value_);
      other.Wipe();
    }
    return *this;
  }
  ~Secret() { Wipe(); }

  /// The text itself, for the one call that needs it.
  const std::string& Reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  void Wipe() {
    volatile char* bytes = value_.data();
    for (std::size_t i = 0; i < value_.size(); ++i)
      bytes[i] = 0;
    value_.clear();
  }

  std::string value_;
};

}  // namespace trove
