#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <sstream>
#include <utility>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "libtrove/model/errors.h"
#include "libtrove/model/manifest.h"

namespace trove {
namespace {

using Type = ParameterRule::Type;

constexpr std::size_t kLongestText = 4096;
constexpr std::size_t kFarthestGuess = 3;

std::string Lower(std::string text) {
  std::transform(
      text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// As a person would write it: without an exponent, and without a fraction where there is none.
std::string NumberText(double number) {
  std::ostringstream text;
  text.precision(
      std::abs(number) < 1e15 && number != static_cast<double>(static_cast<long long>(number)) ? 6
                                                                                               : 0);
  text << std::fixed << number;
  std::string digits = text.str();
  if (digits.find('.') == std::string::npos) return digits;
  while (digits.back() == '0')
    digits.pop_back();
  return digits;
}

std::string RangeText(const ParameterRule& rule) {
  if (rule.minimum && rule.maximum)
    return " from " + NumberText(*rule.minimum) + " to " + NumberText(*rule.maximum);
  if (rule.minimum) return " of at least " + NumberText(*rule.minimum);
  if (rule.maximum) return " of at most " + NumberText(*rule.maximum);
  return "";
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words)
    text += (text.empty() ? "" : ", ") + word;
  return text;
}

// What a value of this parameter is.
std::string Wanted(const ParameterRule& rule) {
  switch (rule.type) {
    case Type::kInteger:
      return "an integer" + RangeText(rule);
    case Type::kFloat:
      return "a number" + RangeText(rule);
    case Type::kBoolean:
      return "true or false";
    case Type::kText:
      break;
  }
  if (rule.choices.empty()) return "a text of one line";
  return (rule.several ? "a text with some of these, and commas between them: "
                       : "a text, one of these: ") +
         Joined(rule.choices);
}

bool InRange(const ParameterRule& rule, long double number) {
  return (!rule.minimum || number >= *rule.minimum) && (!rule.maximum || number <= *rule.maximum);
}

bool IsChoice(const ParameterRule& rule, const std::string& text) {
  return std::any_of(rule.choices.begin(), rule.choices.end(), [&](const std::string& choice) {
    return Lower(choice) == Lower(text);
  });
}

bool IsText(const ParameterRule& rule, const std::string& text) {
  // It becomes a line of the server's configuration.
  if (text.size() > kLongestText ||
      std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
    return false;
  if (rule.choices.empty()) return true;
  if (!rule.several) return IsChoice(rule, text);
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    if (!IsChoice(rule, word)) return false;
  }
  return true;
}

bool IsValue(const ParameterRule& rule, const std::string& json) {
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse(json, error);
  if (error) return false;
  switch (rule.type) {
    case Type::kInteger:
      // One above 64 bits is read as a float, and no server has any use for it.
      if (value.is_int64()) return InRange(rule, value.get_int64());
      return value.is_uint64() && InRange(rule, value.get_uint64());
    case Type::kFloat:
      if (!value.is_number()) return false;
      return InRange(rule, value.to_number<double>(error)) && !error;
    case Type::kBoolean:
      return value.is_bool() || (value.is_int64() && (value == 0 || value == 1));
    case Type::kText:
      return value.is_string() && IsText(rule, std::string(value.get_string()));
  }
  return false;
}

// How many characters must be put in, left out or replaced to make one the other.
std::size_t Distance(const std::string& one, const std::string& other) {
  std::vector<std::size_t> row(other.size() + 1);
  for (std::size_t j = 0; j <= other.size(); ++j)
    row[j] = j;
  for (std::size_t i = 1; i <= one.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= other.size(); ++j) {
      const std::size_t replaced = diagonal + (one[i - 1] == other[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row.back();
}

std::string Unknown(const Manifest& manifest, const std::string& name) {
  std::string text = manifest.datastore.name + " has no parameter " + name + " that can be set";
  const ParameterRule* nearest = nullptr;
  std::size_t distance = std::min(kFarthestGuess + 1, name.size() / 2);
  for (const ParameterRule& rule : manifest.parameters) {
    const std::size_t far = Distance(name, rule.name);
    if (far >= distance) continue;
    distance = far;
    nearest = &rule;
  }
  return nearest == nullptr ? text : text + "; there is " + nearest->name;
}

}  // namespace

absl::Status CheckParameters(const Manifest& manifest,
                             const std::map<std::string, std::string>& values) {
  ErrorExtras extras;
  for (const auto& [name, json] : values) {
    const std::string lower = Lower(name);
    const auto rule = std::find_if(manifest.parameters.begin(),
                                   manifest.parameters.end(),
                                   [&](const ParameterRule& each) { return each.name == lower; });
    std::string wrong;
    if (rule == manifest.parameters.end()) {
      wrong = Unknown(manifest, lower);
    } else if (!IsValue(*rule, json)) {
      wrong = "must be " + Wanted(*rule) + ", not " + json.substr(0, 100);
    }
    if (!wrong.empty())
      extras.violations.push_back({.field = "values." + name, .description = std::move(wrong)});
  }
  if (extras.violations.empty()) return absl::OkStatus();
  const FieldViolation& first = extras.violations.front();
  std::string message = first.field + ": " + first.description;
  return MakeError(Reason::kConfigurationInvalid, std::move(message), extras);
}

}  // namespace trove
