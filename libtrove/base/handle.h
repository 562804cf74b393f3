#pragma once

#include <memory>

namespace trove {

/// Owns a C library's object and ends it with the library's own function: Handle<PGresult,
/// PQclear>.
template <auto Free>
struct HandleDeleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

template <typename T, auto Free>
using Handle = std::unique_ptr<T, HandleDeleter<Free>>;

}  // namespace trove
