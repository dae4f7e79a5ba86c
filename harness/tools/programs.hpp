// Programs: what the children of scenarios are, in words that this platform can start.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

namespace loopscope::tools {

/// What subprocess_exec takes: a program and its arguments.
using Words = std::vector<std::string>;

Words copying();   // copies its input to its output, until the end
Words sleeping();  // waits to be ended, whatever becomes of its pipes
Words ending();    // ends at once, with 0
Words printing(std::string line);
Words printing_environment();  // NAME=value, a line each
Words printing_directory();    // the folder that it runs in
Words printing_descriptors();  // the numbers of those that are open, a line each. POSIX.
/// What the descriptor of this number is in the child. POSIX.
Words printing_descriptor(long long number);

/// Puts a program into a folder, under a name for the search of PATH. It prints "found" and ends.
Words install_program(const std::string& folder, const std::string& name);

/// What a child does, one after the other; it ends with 0 behind the last.
namespace step {
std::string copy();                   // as copying() does
std::string stay();                   // as sleeping() does
std::string write(std::string line);  // to standard output, and the end of the line
std::string write_error(std::string line);
std::string write_zeros(unsigned long long count);  // to standard output
std::string read_line();
std::string close_input();
/// Starts a child that goes on copying; its process id to standard error, and the end of the line.
std::string copy_in_background();
std::string exit(int code);
std::string end_by_signal(int signum);  // POSIX
}  // namespace step

using Steps = std::initializer_list<std::string>;
/// Words of a program that does them.
Words program(Steps steps);
/// A command for the shell, which does them, or has them done.
std::string command(Steps steps);

/// Whether the end of a child names the signal that ended it. Windows knows exit codes alone: who
/// ends a child says with which.
extern const bool kEndsNameSignals;
/// Signals that end a child which does nothing about them; none where no child can be sent any.
extern const std::vector<int> kEndingSignals;
/// Whether fork(2) exists, for checks that change the process they run in.
extern const bool kForks;

/// What the system says to starting what it cannot start, as numbers of errno.
struct StartErrors {
  int no_program;    // a file that is none
  int folder;        // in place of a program
  int no_directory;  // to run in
  int file_for_directory;
  int too_long;  // an argument of 4 MiB
};
extern const StartErrors kStartErrors;

}  // namespace loopscope::tools
