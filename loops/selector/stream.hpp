// SelectorStream: a stream transport over readiness.
#pragma once

#include "loops/common/stream.hpp"

namespace loopscope {

/// One read an event; writes are tried at once, and the rest when there is room.
class SelectorStream final : public StreamTransport {
 public:
  using StreamTransport::StreamTransport;

 private:
  void start_reading() override;
  void stop_reading() override { unwatch(Direction::read); }
  void watch_reader_gone() override;
  std::optional<std::size_t> offer(std::span<const ByteView> pieces) override;
  void wait_for_room() override;
  void room_not_needed() override;

  void read_soon();
  void on_readable();
  void on_writable();
  void send_piece();

  bool writing_armed_ = false;
};

}  // namespace loopscope
