#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "libtrove/bus/bus.h"

namespace trove {

/// Two connections to one bus, fresh and without an event stream.
struct BusesUnderTest {
  std::unique_ptr<Bus> here;
  std::unique_ptr<Bus> there;
  std::function<std::size_t()> stored_events;  ///< how many events the stream has
};

/// Checks what bus.h promises, section by section; `make` is called once for each.
void CheckBusContract(const std::function<BusesUnderTest()>& make);

}  // namespace trove
