// Last words: what a cell says when it dies by a signal, and when it is asked where it hangs.
#pragma once

namespace loopscope::crash {

/// Installs handlers for the signals that end a process by accident, on an alternate stack. Each
/// writes the signal, the address and a backtrace to the report channel, then lets the signal do
/// what it does. A disposition that is not the default (a sanitizer's) is left alone.
///
/// Also for stack_signal(): its handler writes the backtrace of the thread that got it.
void install();
/// The signal that asks a thread of a cell for its backtrace.
int stack_signal();

}  // namespace loopscope::crash
