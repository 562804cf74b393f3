#include "services/gateway/codec/json_body.h"

#include <cstdint>
#include <exception>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_stack.hpp>

#include "libtrove/model/errors.h"
#include "libtrove/model/validation.h"
#include "services/gateway/codec/text_rules.h"

namespace trove::gateway {
namespace {

namespace json = boost::json;

absl::Status BadBody(std::string why) {
  return MakeError(Reason::kInvalidBody, "The body " + std::move(why));
}

// Whether brackets, outside of strings, nest deeper than `limit`. Right for every text that is
// JSON; what it says of another is of no account.
bool NestsDeeperThan(std::string_view text, int limit) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > limit) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

// Builds the value, and watches the keys: a library's object would silently keep one of two.
class Builder {
 public:
  // The parser asks for these names.
  constexpr static std::size_t max_object_size =  // NOLINT(readability-identifier-naming): its name
      kMaxBodyBytes;
  constexpr static std::size_t max_array_size =  // NOLINT(readability-identifier-naming): its name
      kMaxBodyBytes;
  constexpr static std::size_t max_key_size =  // NOLINT(readability-identifier-naming): its name
      kMaxBodyBytes;
  constexpr static std::size_t max_string_size =  // NOLINT(readability-identifier-naming): its name
      kMaxBodyBytes;

  json::value Take() { return stack_.release(); }
  const std::string& twice() const { return twice_; }

  bool on_document_begin(json::error_code&) {
    stack_.reset();
    return true;
  }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) {
    keys_.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t size, json::error_code&) {
    stack_.push_object(size);
    keys_.pop_back();
    return true;
  }
  bool on_array_begin(json::error_code&) { return true; }
  bool on_array_end(std::size_t size, json::error_code&) {
    stack_.push_array(size);
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
    key_.append(part.data(), part.size());
    stack_.push_chars(part);
    return true;
  }
  bool on_key(json::string_view part, std::size_t, json::error_code& error) {
    key_.append(part.data(), part.size());
    stack_.push_key(part);
    if (!keys_.back().insert(key_).second) {
      twice_ = std::move(key_);
      error = json::error::syntax;
      return false;
    }
    key_.clear();
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, json::error_code&) {
    stack_.push_chars(part);
    return true;
  }
  bool on_string(json::string_view part, std::size_t, json::error_code&) {
    stack_.push_string(part);
    return true;
  }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t value, json::string_view, json::error_code&) {
    stack_.push_int64(value);
    return true;
  }
  bool on_uint64(std::uint64_t value, json::string_view, json::error_code&) {
    stack_.push_uint64(value);
    return true;
  }
  bool on_double(double value, json::string_view, json::error_code&) {
    stack_.push_double(value);
    return true;
  }
  bool on_bool(bool value, json::error_code&) {
    stack_.push_bool(value);
    return true;
  }
  bool on_null(json::error_code&) {
    stack_.push_null();
    return true;
  }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

 private:
  json::value_stack stack_;
  std::string key_;
  std::vector<std::unordered_set<std::string>> keys_;  // of the objects that are open
  std::string twice_;
};

absl::StatusOr<json::object> Parse(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMaxBodyDepth;
  json::basic_parser<Builder> parser(options);
  json::error_code error;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
  if (!parser.handler().twice().empty()) {
    return BadBody("has the key " + Quote(parser.handler().twice()) + " twice in one object");
  }
  if (!error && read < text.size()) error = json::error::extra_data;
  if (error) {
    return BadBody("is not JSON: " + error.message() + " near byte " + std::to_string(read));
  }
  json::value value = parser.handler().Take();
  if (!value.is_object()) return BadBody("must be a JSON object");
  return std::move(value.get_object());
}

}  // namespace

absl::StatusOr<json::object> ParseBody(std::string_view text) {
  if (text.size() > kMaxBodyBytes) {
    return MakeError(Reason::kBodyTooLarge,
                     "The body has more than " + std::to_string(kMaxBodyBytes) + " bytes");
  }
  if (!IsUtf8(text)) return BadBody("is not UTF-8");
  if (NestsDeeperThan(text, kMaxBodyDepth)) {
    return BadBody("nests deeper than " + std::to_string(kMaxBodyDepth) + " levels");
  }
  try {
    return Parse(text);
  } catch (const std::exception& failure) {  // the library throws where it cannot answer
    return BadBody(std::string("cannot be read: ") + failure.what());
  }
}

}  // namespace trove::gateway
