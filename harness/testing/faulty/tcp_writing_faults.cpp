// Loops whose stream transports write wrongly over sockets, in one way each.
#include "harness/testing/between.hpp"
#include "harness/testing/own_turn.hpp"

namespace loopscope::testing::tcp_writing_faults {
namespace {

/// Offers each write to the system once and forgets what it did not take.
class TailForgotten final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.partial_writes", "tcp.write.order", "tcp.write.types",
                                        "tcp.close.flushes"};
  static constexpr Names kKeeps[] = {"tcp.made_before_data", "tcp.connect.multiple_addresses"};
  void write(ByteView data) override {
    if (!below_->is_closing()) (void)os::send(descriptor(), data);
  }
};

/// An empty write waits for writability, and stays there: it is never "sent".
class EmptyWriteArms final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.write.empty"};
  static constexpr Names kKeeps[] = {"tcp.write.order", "tcp.partial_writes", "tcp.close.flushes"};
  void write(ByteView data) override {
    if (data.empty() && !below_->is_closing() && below_->get_write_buffer_size() == 0) {
      (void)loop_.watch(descriptor(), Direction::write, [] {});
    } else {
      below_->write(data);
    }
  }
};

class FirstThousandPieces final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.writelines.gather"};
  static constexpr Names kKeeps[] = {"tcp.write.order", "tcp.write.empty", "tcp.close.flushes"};
  void writelines(std::span<const ByteView> chunks) override {
    below_->writelines(chunks.first(std::min(chunks.size(), os::kMostPieces)));
  }
};

class WritelinesNeverPauses final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.writelines.gather"};
  static constexpr Names kKeeps[] = {"flow.pause_on_high", "tcp.write.order", "tcp.write.empty"};
  void pause_writing() override {
    if (gathering_) return;
    told_ = true;
    user_->pause_writing();
  }
  void resume_writing() override {
    if (std::exchange(told_, false)) user_->resume_writing();
  }
  void writelines(std::span<const ByteView> chunks) override {
    gathering_ = true;
    below_->writelines(chunks);
    gathering_ = false;
  }

 private:
  bool gathering_ = false, told_ = false;
};

/// Sizes are ints: from 2^31 on they are negative, and a negative size is nothing to send.
class SizesAreInts final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.write.huge_single"};
  static constexpr Names kKeeps[] = {"tcp.write.order", "tcp.write.empty", "tcp.close.flushes"};
  void write(ByteView data) override {
    if (static_cast<std::int32_t>(data.size()) > 0) below_->write(data);
  }
};

class DelayLeftOn final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  static constexpr Names kCaughtBy[] = {"tcp.nodelay_default"};
  static constexpr Names kKeeps[] = {"tcp.write.order", "tcp.made_before_data", "tcp.close.*"};
  void connection_made(BaseTransport& transport) override {
    below_ = dynamic_cast<Transport*>(&transport);
    (void)os::set_nodelay(descriptor(), false);
    StreamBetween::connection_made(transport);
  }
};

class KeepAliveIgnored final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  static constexpr Names kCaughtBy[] = {"tcp.keepalive"};
  static constexpr Names kKeeps[] = {"tcp.nodelay_default", "tcp.close.*"};
  Future<std::shared_ptr<Server>> create_server(ProtocolFactory factory,
                                                ServerOptions options) override {
    options.keep_alive = false;
    return SelectorLoop::create_server(std::move(factory), std::move(options));
  }
};

constexpr FaultyLoop kLoops[] = {
    wrong_stream<TailForgotten>("faulty.tail_forgotten",
                                "What the system did not take of a write is forgotten."),
    wrong_stream<EmptyWriteArms>("faulty.empty_write_arms",
                                 "An empty write waits for writability and keeps the loop awake."),
    wrong_stream<FirstThousandPieces>("faulty.pieces_beyond_iov_max",
                                      "writelines drops the pieces beyond IOV_MAX."),
    wrong_stream<WritelinesNeverPauses>("faulty.writelines_never_pauses",
                                        "writelines does not call pause_writing."),
    wrong_stream<SizesAreInts>("faulty.sizes_are_ints", "Writes of 2 GiB and more are dropped."),
    wrong_stream<DelayLeftOn>("faulty.nagle_left_on", "TCP_NODELAY is not set."),
    wrong<KeepAliveIgnored>("faulty.keep_alive_ignored",
                            "create_server does not pass keep_alive on."),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::tcp_writing_faults
