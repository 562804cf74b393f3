#pragma once

#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

/// Returns from the enclosing function when `expr` (an absl::Status) is not OK.
#define TROVE_RETURN_IF_ERROR(expr)                               \
  do {                                                            \
    if (absl::Status trove_status = (expr); !trove_status.ok()) { \
      return trove_status;                                        \
    }                                                             \
  } while (false)

/// Evaluates `expr` (an absl::StatusOr<T>); assigns its value to `lhs`, which may declare a
/// variable, or returns its status from the enclosing function.
#define TROVE_ASSIGN_OR_RETURN(lhs, expr) \
  TROVE_ASSIGN_OR_RETURN_IMPL(TROVE_CONCAT(trove_or_, __LINE__), lhs, expr)
// NOLINTBEGIN(bugprone-macro-parentheses): a declaration takes no parentheses
#define TROVE_ASSIGN_OR_RETURN_IMPL(temporary, lhs, expr) \
  auto temporary = (expr);                                \
  if (!temporary.ok()) {                                  \
    return std::move(temporary).status();                 \
  }                                                       \
  lhs = *std::move(temporary)
// NOLINTEND(bugprone-macro-parentheses)
#define TROVE_CONCAT(a, b) TROVE_CONCAT_IMPL(a, b)
#define TROVE_CONCAT_IMPL(a, b) a##b
