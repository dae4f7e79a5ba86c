// What the tests of transports and servers over every real selector share.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "loops/selector/selector_loop.hpp"

namespace loopscope::each_selector {

/// Notes what it is told, and stops the loop at the end.
struct Recorder : Protocol {
  std::string trace;
  EventLoop* loop = nullptr;
  bool keep_open = false;
  void connection_made(BaseTransport&) override { trace += "made "; }
  void data_received(ByteView data) override { trace += "data:" + text(data) + " "; }
  bool eof_received() override {
    trace += "eof ";
    return keep_open;
  }
  void connection_lost(const Error* why) override {
    trace += why == nullptr ? "lost" : "lost:" + error_name(why->code);
    if (loop != nullptr) loop->stop();
  }
};

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
