// What the tests of transports and servers over every real selector share.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "loops/common/recorder.hpp"
#include "loops/selector/selector_loop.hpp"

namespace loopscope::each_selector {

using testing::Recorder;

template <class F>
void on_each_selector(F&& body) {
  for (const LoopDescriptor* row : all_loops()) {
    if (row->family != Family::selector || row->make == nullptr) continue;
    CAPTURE(row->name);
    auto loop = row->make({});
    REQUIRE(loop.ok());
    body(**loop);
    CHECK((*loop)->close().ok());
  }
}

}  // namespace loopscope::each_selector
