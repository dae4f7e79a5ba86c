// What the tests of transports have as the protocol.
#pragma once

#include <string>

#include "loops/event_loop.hpp"

namespace loopscope::testing {

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

}  // namespace loopscope::testing
