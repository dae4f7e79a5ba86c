// Ported programs: short uses of the API that also exist in Python, on asyncio, under the same
// name.
//
// A program says words; each call of say() is a line of its trace. The trace of the C++ body on one
// of our loops and that of the Python body on asyncio have to be equal: ported_test.py compares.
#pragma once

#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "harness/peer.hpp"
#include "loops/descriptor.hpp"
#include "loops/event_loop.hpp"

namespace loopscope::ported {

using std::chrono::milliseconds;

/// What a program raises where the Python body raises its own exception of the same name.
class Boom final : public std::exception {
 public:
  const char* what() const noexcept override { return "Boom"; }
};
/// The counterpart of SystemExit.
class Exit final : public ExitException {
 public:
  const char* reason() const noexcept override { return "Exit"; }
};

// How values are spelled in a trace, the same in programs.py.
inline std::string word(std::string_view text) { return std::string(text); }
inline std::string word(const char* text) { return text; }
inline std::string word(const std::string& text) { return text; }
inline std::string word(std::same_as<bool> auto value) { return value ? "yes" : "no"; }
template <std::integral T>
requires(!std::same_as<T, bool>) std::string word(T value) { return std::to_string(value); }
inline std::string word(const Error& error) { return error_name(error.code); }
inline std::string word(const Error* error) { return error == nullptr ? "none" : word(*error); }
inline std::string word(ByteView data) { return text(data); }
inline std::string word(const Bytes& data) { return text(data); }
std::string word(const std::exception_ptr& exception);
template <class T>
std::string word(const Result<T>& result) {
  if (!result.ok()) return word(result.error());
  if constexpr (std::is_void_v<T>) {
    return "ok";
  } else {
    return word(*result);
  }
}

/// Where a program runs: a fresh loop, the trace, and steps that many programs share.
class Stage {
 public:
  explicit Stage(const LoopDescriptor& row);
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  EventLoop& loop() { return *loop_; }
  /// Another loop of the same kind.
  std::unique_ptr<EventLoop> another() const;
  template <class... Words>
  void say(const Words&... words) {
    std::string line;
    ((line += line.empty() ? word(words) : " " + word(words)), ...);
    print(line);
  }
  /// A function that says a word.
  auto sayer(std::string_view text) {
    return [this, text] { say(text); };
  }

  void run() { loop_->run_forever().value(); }
  /// One iteration each, as asyncio's own tests make them: the callback that stops comes last.
  void turn(int iterations = 1);
  /// Runs the loop until `done`; says "never" when that takes more than some seconds.
  void run_until(const std::function<bool()>& done);
  /// Turns the loop until a peer has so many bytes to read. Not once where they were sent inside
  /// the call; a completion loop leaves that to the system.
  void until_there(const Peer& peer, std::size_t count);
  /// The outcome of a future or a coroutine; an exception becomes its word.
  template <class T>
  std::string finish(T work) {
    try {
      return word(loop_->run_until_complete(std::move(work)));
    } catch (const ExitException&) {
      return "Exit";
    } catch (...) {
      return word(std::current_exception());
    }
  }
  /// Reports to the loop's exception handler become lines: "handler MESSAGE EXCEPTION".
  void say_reports();
  /// Lines of the log become lines: "log LEVEL".
  void say_log();

  /// A connected pair of Unix stream sockets; the second blocks.
  std::pair<Socket, Peer> pair();
  /// A folder of this program's own, removed with the stage.
  const std::string& folder();

 private:
  static void print(const std::string& line);
  const LoopDescriptor& row_;
  std::unique_ptr<EventLoop> loop_;
  std::string folder_;
};

struct Program {
  std::string_view name;
  void (*body)(Stage&);
};
/// The programs of one file; main.cpp lists the files.
using Programs = std::span<const Program>;

}  // namespace loopscope::ported
