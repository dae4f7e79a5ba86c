// Drawing the progress of a run.
#include "probe/cli/progress.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "harness/host.hpp"
#include "harness/messages.hpp"
#include "harness/scenario.hpp"
#include "probe/cli/common.hpp"

namespace loopscope::cli {
namespace {

using namespace std::chrono_literals;

constexpr int kStandardError = 2;
constexpr Duration kBetweenDraws = 80ms;

double seconds(Duration duration) { return static_cast<double>(duration.count()) / 1e9; }

}  // namespace

Progress::Progress(std::size_t total)
    : total_(total),
      terminal_(host::is_terminal(kStandardError)),
      colour_(colour_on(kStandardError)),
      next_plain_(std::max<std::size_t>(total / 10, 1)),
      began_(now()) {}

Progress::~Progress() { wipe(); }

void Progress::wipe() {
  if (line_open_) print_error("\r\x1b[K");
  line_open_ = false;
}

void Progress::say(const std::string& text) {
  wipe();
  print_error(text);
}

void Progress::cell(const CellResult& result) {
  ++done_;
  if (result.standing != Standing::as_expected) {
    ++unexpected_;
    std::string text = cell_headline(result);  // The summary at the end has all of it.
    if (colour_) {
      const bool grave =
          is_red(result.verdict.outcome) || result.standing == Standing::stale_expectation;
      const std::size_t end = text.find('\n');
      text = fmt::format("\x1b[{}m{}\x1b[0m{}", grave ? "31" : "33", text.substr(0, end),
                         text.substr(end));
    }
    say(text);
  }
  show(result);
}

void Progress::show(const CellResult& result) {
  const TimePoint at = now();
  const std::string counts = fmt::format("[{}/{}] {} unexpected, {:.1f} s", done_, total_,
                                         unexpected_, seconds(at - began_));
  if (!terminal_) {
    if (done_ < next_plain_ && done_ != total_) return;
    next_plain_ = done_ + std::max<std::size_t>(total_ / 10, 1);
    print_error(counts + "\n");
    return;
  }
  if (at - shown_ < kBetweenDraws && done_ != total_) return;
  shown_ = at;
  std::string line =
      fmt::format("{}  {} {}", counts, result.cell.loop->name, result.cell.scenario->id);
  const auto width = static_cast<std::size_t>(std::max(host::terminal_width(kStandardError), 20));
  if (line.size() >= width) line.resize(width - 1);
  print_error("\r" + line + "\x1b[K");
  line_open_ = true;
}

}  // namespace loopscope::cli
