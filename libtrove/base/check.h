#pragma once

#include <cstdio>
#include <cstdlib>

/// States an invariant of ours, never a hope about input: prints the place and aborts when
/// `condition` is false.
#define TROVE_CHECK(condition)                                                               \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      std::fprintf(stderr, "%s:%d: invariant broken: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                          \
    }                                                                                        \
  } while (false)
