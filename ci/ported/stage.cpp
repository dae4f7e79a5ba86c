// The stage of the ported programs.
#include <cstdio>
#include <filesystem>

#include "ci/ported/program.hpp"
#include "harness/tools/descriptor_tools.hpp"
#include "loops/os/process_id.hpp"

namespace loopscope::ported {

std::string word(const std::exception_ptr& exception) {
  if (!exception) return "none";
  try {
    std::rethrow_exception(exception);
  } catch (const Failure& failure) {
    return word(failure.error());
  } catch (const std::exception& known) {
    return known.what();
  } catch (const ExitException& exit) {
    return exit.reason();
  } catch (...) {
    return "unknown";
  }
}

Stage::Stage(const LoopDescriptor& row)
    : row_(row), loop_(std::move(row.make(LoopOptions{}).value())) {}

Stage::~Stage() {
  (void)loop_->close();
  loop_.reset();
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

std::unique_ptr<EventLoop> Stage::another() const {
  return std::move(row_.make(LoopOptions{}).value());
}

void Stage::print(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);  // What was said before a hang or a crash has to be seen.
}

void Stage::turn(int iterations) {
  for (int i = 0; i < iterations; ++i) {
    loop_->call_soon([this] { loop_->stop(); });
    run();
  }
}

void Stage::run_until(const std::function<bool()>& done) {
  for (int i = 0; i < 5'000; ++i) {
    if (done()) return;
    loop_->call_later(milliseconds(1), [this] { loop_->stop(); });
    run();
  }
  say("never");
}

void Stage::until_there(const Peer& peer, std::size_t count) {
  run_until([&] { return tools::bytes_waiting(peer.native()) >= count; });
}

void Stage::say_reports() {
  loop_->set_exception_handler([this](EventLoop&, const ExceptionContext& context) {
    say("handler", context.message, context.error ? word(*context.error) : word(context.exception));
  });
}

void Stage::say_log() {
  loop_->set_log_sink([this](LogLevel level, std::string_view) {
    say("log", level == LogLevel::error ? "error" : level == LogLevel::debug ? "debug" : "warning");
  });
}

std::pair<Socket, Peer> Stage::pair() {
  auto ends = std::move(os::open_socketpair(SocketType::stream, true).value());
  os::set_blocking(ends.first.get(), false).value();
  return {Socket(std::move(ends.first)), Peer(std::move(ends.second))};
}

const std::string& Stage::folder() {
  if (folder_.empty()) {
    static int count = 0;
    const auto name = "ported-" + std::to_string(os::process_id()) + "-" + std::to_string(++count);
    folder_ = (std::filesystem::temp_directory_path() / name).string();
    std::filesystem::create_directories(folder_);
  }
  return folder_;
}

}  // namespace loopscope::ported
