#pragma once

#include <cstddef>
#include <string>
#include <utility>

namespace trove {

/// A text that must never be shown: no operator<<, no formatter, so that logging it does not
/// compile. Overwrites its memory when it dies, is moved from or is assigned to.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) { Wipe(value); }
  Secret(const Secret&) = default;
  Secret& operator=(const Secret& other) {
    if (this != &other) {
      Wipe(value_);
      value_ = other.value_;
    }
    return *this;
  }
  Secret(Secret&& other) noexcept : value_(std::move(other.value_)) { Wipe(other.value_); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      Wipe(value_);
      value_ = std::move(other.value_);
      Wipe(other.value_);
    }
    return *this;
  }
  ~Secret() { Wipe(value_); }

  /// The text itself, for the one call that needs it.
  const std::string& Reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

  /// Takes equally long for every pair of texts of one length, so that timing tells nothing.
  friend bool operator==(const Secret& a, const Secret& b) {
    if (a.value_.size() != b.value_.size()) return false;
    unsigned char differs = 0;
    for (std::size_t i = 0; i < a.value_.size(); ++i)
      differs |= static_cast<unsigned char>(a.value_[i] ^ b.value_[i]);
    return differs == 0;
  }

 private:
  // The whole buffer and not only the text: a short text lies inside the string, where moving from
  // it and clearing it leave it.
  static void Wipe(std::string& text) {
    text.resize(text.capacity());
    volatile char* bytes = text.data();
    for (std::size_t i = 0; i < text.size(); ++i)
      bytes[i] = 0;
    text.clear();
  }

  std::string value_;
};

}  // namespace trove
