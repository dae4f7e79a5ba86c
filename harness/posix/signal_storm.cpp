// SignalStorm over setitimer(2).
#include "harness/tools/signal_storm.hpp"

#include <signal.h>
#include <sys/time.h>

#include <new>

#include "harness/tools/signal_tools.hpp"
#include "loops/base/error.hpp"

namespace loopscope::tools {
namespace {

static_assert(sizeof(struct sigaction) <= 256);
volatile std::sig_atomic_t g_interruptions = 0;
thread_local volatile bool t_counts = false;

void count_here(int) {
  if (t_counts) g_interruptions = g_interruptions + 1;
}

void set_timer(Duration period) {
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(period).count();
  itimerval timer{};
  timer.it_interval.tv_sec = static_cast<time_t>(micros / 1'000'000);
  timer.it_interval.tv_usec = static_cast<suseconds_t>(micros % 1'000'000);
  timer.it_value = timer.it_interval;
  if (::setitimer(ITIMER_REAL, &timer, nullptr) != 0) throw Failure(errno_error("setitimer"));
}

}  // namespace

SignalStorm::SignalStorm(Duration period) {
  g_interruptions = 0;
  t_counts = true;
  struct sigaction wanted {};
  wanted.sa_handler = count_here;
  sigemptyset(&wanted.sa_mask);
  auto* previous = ::new (static_cast<void*>(previous_)) struct sigaction();
  if (::sigaction(SIGALRM, &wanted, previous) != 0) throw Failure(errno_error("sigaction"));
  set_timer(period);
}

SignalStorm::~SignalStorm() {
  constexpr itimerval kNone{};
  ::setitimer(ITIMER_REAL, &kNone, nullptr);
  const auto* previous = std::launder(reinterpret_cast<struct sigaction*>(previous_));
  ::sigaction(SIGALRM, previous, nullptr);
  t_counts = false;
}

int SignalStorm::interruptions() const { return g_interruptions; }

}  // namespace loopscope::tools
