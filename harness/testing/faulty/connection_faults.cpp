// Loops whose accepted connections are wrong about flow or memory, in one way each.
#include <deque>

#include "harness/testing/serving.hpp"

namespace loopscope::testing::connection_faults {
namespace {

/// Whoever paused waits for ever.
class NeverResumes final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void resume_writing() override {}
};

/// What arrives in a pause has been read already, and is thrown away.
class PauseDropsData final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void pause_reading() override { paused_ = true; }
  void resume_reading() override { paused_ = false; }
  void data_received(ByteView data) override {
    if (!paused_) StreamBetween::data_received(data);
  }

 private:
  bool paused_ = false;
};

/// Every write leaves its data behind.
class KeepsWhatWasSent final : public StreamBetween {
 public:
  using StreamBetween::StreamBetween;
  void write(ByteView data) override {
    kept_.emplace_back(data.begin(), data.end());
    below_->write(data);
  }

 private:
  std::deque<Bytes> kept_;
};

using Names = std::string_view;
constexpr Names kDrain[] = {"flow.drain.concurrent"};
constexpr Names kPause[] = {"flow.pause_reading_no_loss"};
constexpr Names kMemory[] = {"limit.echo_10k_connections"};
constexpr Names kPass[] = {"srv.wait_closed", "srv.close.stops_listening", "unix.path.*"};

constexpr FaultyLoop kLoops[] = {
    faulty<ServersThrough<NeverResumes>>("faulty.never_resumes_writing",
                                         "resume_writing is never called on connections.", kDrain,
                                         kPass),
    faulty<ServersThrough<PauseDropsData>>(
        "faulty.pause_drops_data", "What arrives while reading is paused is lost.", kPause, kPass),
    faulty<ServersThrough<KeepsWhatWasSent>>("faulty.keeps_what_was_sent",
                                             "Data that was sent stays in memory.", kMemory, kPass),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::connection_faults
