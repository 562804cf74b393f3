#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/time/time.h>

namespace trove {

/// `count` bytes from the system's random generator. Aborts when there is none.
std::string RandomBytes(std::size_t count);

/// `count` bytes as lower-case hex, so twice as many characters.
std::string RandomHex(std::size_t count);

/// A text of `length` characters from [A-Za-z0-9], for passwords and tokens; about 5.95 bits each.
std::string RandomAlphanumeric(std::size_t length);

/// A random id (RFC 9562, version 4), lower case, 36 characters.
std::string NewUuid();

/// An id that sorts after those made earlier, to the millisecond (RFC 9562, version 7): rows that
/// are made together lie together in every index, so that they are cheap to write. Its first half
/// tells when it was made, and is shared by those made at once: never shorten it.
std::string NewOrderedUuid(absl::Time now);

/// The version 5 id of `name` in the namespace of this project: the same name gives the same id on
/// every machine.
std::string NamedUuid(std::string_view name);

/// Whether `text` is a canonical 8-4-4-4-12 hex id, in either case.
bool IsUuid(std::string_view text);

}  // namespace trove
