#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "libtrove/model/instance.h"

namespace trove {

// Pure checks of what tenants send. Each returns a FieldError that names `field` and says what
// would be right.

/// Trove's "non-empty string": 1 to 255 characters (code points) of UTF-8 with at least one ASCII
/// letter or digit, no control characters.
absl::Status CheckName(const std::string& field, std::string_view name);

/// 1 to 65536 GiB; over `most_gib` it is kVolumeTooLarge.
absl::Status CheckVolumeSize(const std::string& field,
                             std::int64_t size_gib,
                             std::int64_t most_gib);

/// An IPv4 network, `a.b.c.d` with optional `/0` to `/32`.
absl::Status CheckCidr(const std::string& field, std::string_view cidr);

/// An IPv4 address.
absl::Status CheckIpv4(const std::string& field, std::string_view address);

/// Each of `access.allowed_cidrs`, and that none comes twice.
absl::Status CheckAccess(const std::string& field, const Access& access);

/// At most 128 printable ASCII characters.
absl::Status CheckRequestId(const std::string& field, std::string_view request_id);

/// 1 to 64 characters of [A-Za-z0-9_.-], beginning with a letter or digit.
absl::Status CheckProjectId(const std::string& field, std::string_view project_id);

/// A canonical UUID.
absl::Status CheckUuid(const std::string& field, std::string_view id);

/// A page size, 0 to 100 (0: the default).
absl::Status CheckPageSize(const std::string& field, std::int64_t size);

/// Whether `text` is well-formed UTF-8.
bool IsUtf8(std::string_view text);

}  // namespace trove
