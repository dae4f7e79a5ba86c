// Pseudo-terminals under pipe transports: their end, their pieces, their full buffers, their modes.
#include <csignal>

#include "harness/scenario.hpp"
#include "harness/scenarios/recorders.hpp"
#include "harness/tools/descriptor_tools.hpp"
#include "harness/tools/job_control.hpp"
#include "harness/tools/signal_tools.hpp"

namespace loopscope::scenarios::pseudo_terminals {
namespace {

/// Waits until a terminal's driver, which has workers of its own, has passed `count` bytes on.
void wait_for_bytes(Context& cx, os::NativeSocket terminal, std::size_t count) {
  cx.run_until([&] { return tools::bytes_waiting(terminal) == count; });
}

void data_before_end(Context& cx) {
  os::Pty pty = cx.pty();
  Peer program(std::move(pty.slave));
  std::string sent;
  for (int i = 0; sent.size() < 2'000; ++i) sent += std::to_string(i) + " ";
  program.send(sent);
  wait_for_bytes(cx, pty.master.get(), sent.size());
  program.close();
  const WatchedStream screen = connect_reader(cx, std::move(pty.master));
  cx.run_until([&] { return screen.seen->lost > 0; });
  turn(cx);
  cx.equal(screen.seen->data, sent, "all that the program wrote before it closed");
  cx.equal(screen.seen->lost, 1u, "calls of connection_lost");
}

void end_is_clean(Context& cx) {
  os::Pty pty = cx.pty();
  const WatchedStream screen = connect_reader(cx, std::move(pty.master));
  pty.slave.reset();
  cx.run_until([&] { return screen.seen->lost > 0; });
  if (screen.seen->reason) {
    cx.diverges("an error", "eof_received and a clean end", to_string(*screen.seen->reason));
  }
  cx.expect_trace({"made", "eof", "lost"});
}

void lines(Context& cx) {
  constexpr std::size_t kLent = 7;
  os::Pty pty = cx.pty(false);  // With line editing, a read returns one line however many wait.
  Peer keyboard(std::move(pty.master));
  std::string sent;
  for (std::size_t i = 1; i <= 20; ++i) sent += std::string(i, 'p') + "\n";
  keyboard.send(sent);
  wait_for_bytes(cx, pty.slave.get(), sent.size());
  const auto seen = std::make_shared<BufferedRecorder>(cx, kLent);
  auto made = cx.loop().connect_read_pipe([&] { return seen; }, std::move(pty.slave));
  cx.ok(cx.loop().run_until_complete(made), "connect_read_pipe takes the terminal");
  turn(cx, 200);
  cx.equal(seen->data, sent, "all lines arrive, in order");
  keyboard.send("last\n");
  cx.run_until([&] { return seen->data.size() > sent.size(); });
  turn(cx);
  cx.equal(seen->data, sent + "last\n", "and the next one after them");
}

void full_terminal(Context& cx) {
  constexpr std::size_t kMore = 100'000;
  os::Pty pty = cx.pty();
  Peer program(std::move(pty.slave));
  const WatchedStream keyboard = connect_writer(cx, std::move(pty.master));
  const std::size_t written = write_until_buffered(cx, *keyboard.transport) + kMore;
  keyboard->write(view(std::string(kMore, 'k')));
  cx.equal(keyboard.seen->pauses, 1u, "pause_writing is called");
  cx.at_most(waits_while_idle(cx), kFewWaits, "waits while nobody reads the terminal");
  std::size_t got = 0;
  cx.run_until([&] {
    while (tools::readable(program.native()) && got < written) got += program.recv(65'536).size();
    return got >= written;
  });
  cx.equal(got, written, "bytes that arrive");
  cx.run_until([&] { return keyboard.seen->resumes == 1; });
}

void both_directions(Context& cx) {
  os::Pty pty = cx.pty();
  Peer program(std::move(pty.slave));
  os::UniqueFd second = os::duplicate(pty.master.get()).value();
  const WatchedStream screen = connect_reader(cx, std::move(pty.master));
  const WatchedStream keyboard = connect_writer(cx, std::move(second));
  program.send("prompt> ");
  cx.run_until([&] { return screen.seen->data == "prompt> "; });
  turn(cx);
  cx.equal(keyboard.seen->lost, 0u, "the terminal's output does not end the writer");
  keyboard->write(view("answer"));
  cx.run_until([&] { return tools::bytes_waiting(program.native()) == 6; });
  cx.equal(text(program.recv(6)), "answer", "the writer works beside the reader");
}

void paused_hang_up(Context& cx) {
  os::Pty pty = cx.pty();
  const WatchedStream screen = connect_reader(cx, std::move(pty.master));
  screen->pause_reading();
  pty.slave.reset();
  cx.at_most(waits_while_idle(cx), kFewWaits, "waits while the other side has hung up");
  cx.equal(screen.seen->lost, 0u, "a paused reader is not told");
  screen->resume_reading();
  cx.run_until([&] { return screen.seen->lost > 0; });
}

void modes_stay(Context& cx) {
  os::Pty pty = cx.pty(false);
  const std::string before = tools::terminal_modes(pty.master.get());
  const WatchedStream input = connect_reader(cx, os::duplicate(pty.slave.get()).value());
  const WatchedStream output = connect_writer(cx, os::duplicate(pty.slave.get()).value());
  output->write(view("prompt> "));
  turn(cx);
  input->close();
  output->close();
  cx.run_until([&] { return input.seen->lost > 0 && output.seen->lost > 0; });
  turn(cx);
  cx.equal(tools::terminal_modes(pty.master.get()), before, "the terminal's modes");
}

void resize(Context& cx) {
  cx.ok(cx.loop().add_signal_handler(SIGWINCH, [&] { cx.mark("resized"), cx.loop().stop(); }),
        "add_signal_handler(SIGWINCH)");
  const long loop_thread = tools::thread_id();
  cx.thread([loop_thread] {
    tools::wait_until_asleep(loop_thread);
    tools::raise_in_process(SIGWINCH);
  });
  cx.run_forever();
  cx.expect_trace({"resized"});
}

/// What a background job's loop makes of a terminal with input: exit codes of the job.
enum Job : int { all_read = 0, clean_end, told_error, not_told, no_turn, refused };

/// Reads a terminal by a loop of its own until `want` came or the transport ended. Patience is a
/// number of runs, each of which waits for at most a millisecond.
int read_terminal(Context& cx, os::UniqueFd terminal, std::string_view want) {
  const std::unique_ptr<EventLoop> loop = cx.new_loop();
  const auto seen = std::make_shared<StreamRecorder>(cx);
  unsigned interrupts = 0;
  if (tools::disposition(SIGTTIN) == "handler") {
    const auto pause = [&] {
      ++interrupts;
      dynamic_cast<Transport*>(seen->transport)->pause_reading();
    };
    if (!loop->add_signal_handler(SIGTTIN, pause).ok()) return refused;
  }
  auto made = loop->connect_read_pipe([&] { return seen; }, std::move(terminal));
  if (!loop->run_until_complete(made).ok()) return refused;
  for (int i = 0; i < 1'500 && seen->lost == 0 && seen->data != want && interrupts == 0; ++i) {
    loop->call_later(std::chrono::milliseconds(1), [&] { loop->stop(); });
    if (!loop->run_forever().ok()) return no_turn;
  }
  if (seen->data == want || interrupts > 0) return all_read;
  if (seen->lost == 0) return not_told;
  return seen->reason ? told_error : clean_end;
}

/// A terminal with a line in it, read by a background job.
tools::JobStory background_reader(Context& cx, const std::function<void()>& prepare) {
  os::Pty pty = cx.pty();
  ours(os::write(pty.master.get(), view("input")));
  wait_for_bytes(cx, pty.slave.get(), 5);
  return tools::in_background_of(pty.slave.get(), [&] {
    prepare();
    return read_terminal(cx, std::move(pty.slave), "input");
  });
}

void background_reading(Context& cx) {
  const tools::JobStory stopped = background_reader(cx, [] {});
  cx.equal(stopped.stopped_by, SIGTTIN, "the signal that stops a background job that reads");
  cx.equal(stopped.status, all_read, "what it has read when it is in the foreground again");

  const tools::JobStory deaf = background_reader(cx, [] { std::signal(SIGTTIN, SIG_IGN); });
  cx.equal(deaf.stopped_by, 0, "the signal that stops a job that ignores SIGTTIN");
  if (deaf.status == clean_end) {
    cx.diverges("a clean end", "the error EIO: there is input, and not for this job", "the end");
  }
  cx.equal(deaf.status, told_error, "what is told to a job that may not read");
}

void background_reading_handled(Context& cx) {
  const tools::JobStory told = background_reader(cx, [] { std::signal(SIGTTIN, [](int) {}); });
  cx.equal(told.stopped_by, 0, "the signal that stops a job that handles SIGTTIN");
  cx.equal(told.status, all_read, "the handler is called, and pauses reading");
}

constexpr CapSet kNeeds{Cap::pipes}, kTimed{Cap::pipes, Cap::call_later}, kSignal{Cap::signals};
constexpr std::string_view kReadApi[] = {"connect_read_pipe", "Protocol.data_received",
                                         "Protocol.eof_received", "Protocol.connection_lost"};
constexpr std::string_view kLentApi[] = {"connect_read_pipe", "BufferedProtocol.get_buffer",
                                         "BufferedProtocol.buffer_updated"};
constexpr std::string_view kWriteApi[] = {"connect_write_pipe", "Transport.write",
                                          "Protocol.pause_writing", "Protocol.resume_writing"};
constexpr std::string_view kBothApi[] = {"connect_read_pipe", "connect_write_pipe"};
constexpr std::string_view kPauseApi[] = {"Transport.pause_reading", "Transport.resume_reading"};
constexpr std::string_view kSignalApi[] = {"add_signal_handler"};
constexpr std::string_view kPtmx[] = {"tty.ptmx"};
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "tty.pty.data_before_eof",
     .promise = "What a program writes to a terminal just before it closes it is delivered whole.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.Protocol.data_received",
     .needs = kNeeds,
     .body = data_before_end,
     .api = kReadApi,
     .facts = kPtmx,
     .limit = kLimit},
    {.id = "tty.pty.eio_is_eof",
     .promise = "When the other side of a terminal closes, the reader sees a clean end.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_events.py"
               " test_read_pty_output (EIO on Linux)",
     .needs = kNeeds,
     .body = end_is_clean,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kReadApi,
     .facts = kPtmx,
     .limit = kLimit},
    {.id = "tty.pty.partial_packets",
     .promise = "Reads of a terminal that return less than was asked for lose and end nothing.",
     .source = "docs.python.org/3/library/asyncio-protocol.html"
               "#asyncio.BufferedProtocol.buffer_updated",
     .needs = kNeeds,
     .body = lines,
     .severity = Severity::common,
     .api = kLentApi,
     .facts = kPtmx,
     .limit = kLimit},
    {.id = "tty.pty.write",
     .promise = "A terminal that nobody reads makes the writer wait, without a spin or a loss.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.WriteTransport.write",
     .needs = kTimed,
     .body = full_terminal,
     .severity = Severity::common,
     .api = kWriteApi,
     .facts = kPtmx,
     .limit = kLimit},
    {.id = "tty.pty.bidirectional",
     .promise = "A reader and a writer over one terminal work side by side.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_events.py"
               " test_bidirectional_pty",
     .needs = kNeeds,
     .body = both_directions,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kBothApi,
     .facts = kPtmx,
     .limit = kLimit},
    {.id = "tty.pty.hup_mask_zero",
     .promise = "A paused reader of a terminal that hung up does not spin.",
     .source = "man 2 poll, POLLHUP: reported whatever was asked for",
     .needs = kTimed,
     .body = paused_hang_up,
     .level = Level::should,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kPauseApi,
     .facts = kPtmx,
     .limit = kLimit},
    {.id = "tty.background_sigttin",
     .promise = "A background job that reads its terminal is stopped, or told EIO; it reads on in "
                "the foreground.",
     .source = "POSIX.1-2017, General Terminal Interface, 11.1.4: EIO where SIGTTIN is ignored",
     .needs = kTimed,
     .body = background_reading,
     .authority = Authority::posix,
     .severity = Severity::edge,
     .api = kReadApi,
     .facts = kPtmx,
     .limit = kLimit},
    {.id = "tty.background_sigttin.handled",
     .promise = "A handler of SIGTTIN runs, and the loop goes on, when a background job reads.",
     .source = "POSIX.1-2017, General Terminal Interface, 11.1.4, and read(), EINTR",
     .needs = kTimed | kSignal,
     .body = background_reading_handled,
     .level = Level::should,
     .authority = Authority::posix,
     .severity = Severity::edge,
     .api = kSignalApi,
     .facts = kPtmx,
     .limit = kLimit / 2},
    {.id = "tty.modes_restored",
     .promise = "After the transports over it are closed, a terminal has the modes from before.",
     .source = "github.com/libuv/libuv ChangeLog: restore tty attributes on handle close",
     .needs = kNeeds,
     .body = modes_stay,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kBothApi,
     .facts = kPtmx,
     .limit = kLimit},
    {.id = "tty.resize_event",
     .promise = "The signal of a resized terminal, which is ignored by default, wakes the loop.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.add_signal_handler",
     .needs = kSignal,
     .body = resize,
     .severity = Severity::edge,
     .api = kSignalApi,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A13", "TTY and PTY", kScenarios};
}  // namespace loopscope::scenarios::pseudo_terminals
