#include "libtrove/model/validation.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstddef>
#include <set>

#include "libtrove/base/uuid.h"
#include "libtrove/model/errors.h"

namespace trove {
namespace {

bool IsAsciiAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Length of the well-formed UTF-8 sequence at the start of `text` (RFC 3629); 0 when there is none.
std::size_t SequenceLength(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return static_cast<unsigned char>(text[i]);
  };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;  // no surrogates
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
  }
  if (length == 0 || text.size() < length) return 0;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
  }
  return length;
}

// The number of characters, or -1 when the text is not UTF-8.
std::ptrdiff_t CountCharacters(std::string_view text) {
  std::ptrdiff_t count = 0;
  while (!text.empty()) {
    const std::size_t length = SequenceLength(text);
    if (length == 0) return -1;
    text.remove_prefix(length);
    ++count;
  }
  return count;
}

bool IsIpv4(std::string_view text) {
  in_addr parsed{};
  return inet_pton(AF_INET, std::string(text).c_str(), &parsed) == 1;
}

}  // namespace

bool IsUtf8(std::string_view text) {
  return CountCharacters(text) >= 0;
}

absl::Status CheckName(const std::string& field, std::string_view name) {
  const std::ptrdiff_t count = CountCharacters(name);
  if (count < 0) return FieldError(field, "must be UTF-8 text");
  if (count == 0) return FieldError(field, "must not be empty");
  if (count > 255) {
    return FieldError(field, "must have at most 255 characters, and has " + std::to_string(count));
  }
  if (std::none_of(name.begin(), name.end(), IsAsciiAlphanumeric)) {
    return FieldError(field, "must have at least one letter or digit (a-z, A-Z, 0-9)");
  }
  if (std::any_of(name.begin(), name.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
      })) {
    return FieldError(field, "must not have control characters");
  }
  return absl::OkStatus();
}

absl::Status CheckVolumeSize(const std::string& field,
                             std::int64_t size_gib,
                             std::int64_t most_gib) {
  if (size_gib < 1)
    return FieldError(field, "must be at least 1 (GiB), and is " + std::to_string(size_gib));
  if (size_gib > most_gib) {
    const std::string description = "must be at most " + std::to_string(most_gib) +
                                    " (GiB), and is " + std::to_string(size_gib);
    return MakeError(Reason::kVolumeTooLarge,
                     field + ": " + description,
                     {.violations = {{field, description}}});
  }
  return absl::OkStatus();
}

absl::Status CheckIpv4(const std::string& field, std::string_view address) {
  if (IsIpv4(address)) return absl::OkStatus();
  return FieldError(field, "must be an IPv4 address, as 10.0.0.1");
}

absl::Status CheckCidr(const std::string& field, std::string_view cidr) {
  const std::size_t slash = cidr.find('/');
  const std::string_view address = cidr.substr(0, slash);
  bool valid = IsIpv4(address);
  if (slash != std::string_view::npos) {
    const std::string_view length = cidr.substr(slash + 1);
    valid =
        valid && (length.size() == 1 || length.size() == 2) &&
        std::all_of(length.begin(), length.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
        std::stoi(std::string(length)) <= 32;
  }
  if (valid) return absl::OkStatus();
  return FieldError(field, "must be an IPv4 network, as 10.0.0.0/8");
}

absl::Status CheckAccess(const std::string& field, const Access& access) {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < access.allowed_cidrs.size(); ++i) {
    const std::string path = field + ".allowed_cidrs[" + std::to_string(i) + "]";
    if (absl::Status status = CheckCidr(path, access.allowed_cidrs[i]); !status.ok()) return status;
    if (!seen.insert(access.allowed_cidrs[i]).second)
      return FieldError(path, "comes twice: leave one out");
  }
  return absl::OkStatus();
}

absl::Status CheckRequestId(const std::string& field, std::string_view request_id) {
  const bool printable = std::all_of(
      request_id.begin(), request_id.end(), [](char c) { return c >= 0x21 && c <= 0x7e; });
  if (request_id.size() <= 128 && printable) return absl::OkStatus();
  return FieldError(field, "must be at most 128 printable ASCII characters without blanks");
}

absl::Status CheckProjectId(const std::string& field, std::string_view project_id) {
  const bool valid = !project_id.empty() && project_id.size() <= 64 &&
                     IsAsciiAlphanumeric(project_id[0]) &&
                     std::all_of(project_id.begin(), project_id.end(), [](char c) {
                       return IsAsciiAlphanumeric(c) || c == '_' || c == '.' || c == '-';
                     });
  if (valid) return absl::OkStatus();
  return FieldError(field,
                    "must be 1 to 64 characters of A-Z, a-z, 0-9, '_', '.' and '-', and begin with "
                    "a letter or digit");
}

absl::Status CheckUuid(const std::string& field, std::string_view id) {
  if (IsUuid(id)) return absl::OkStatus();
  return FieldError(field, "must be a UUID, as 6a8f1c52-0d0e-4c4e-9a7a-51f9f0a7e001");
}

absl::Status CheckPageSize(const std::string& field, std::int64_t size) {
  if (size >= 0 && size <= 100) return absl::OkStatus();
  return FieldError(field, "must be 1 to 100, and is " + std::to_string(size));
}

}  // namespace trove
