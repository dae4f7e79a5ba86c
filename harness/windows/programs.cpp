// Programs on Windows: this one, which has a command that does what it is told, step by step.
//
// A line of the shell would end in blanks and \r\n, and has no way to copy its input.
#include "harness/tools/programs.hpp"

#include <cerrno>
#include <filesystem>

#include "harness/child.hpp"
#include "harness/windows/lacking.hpp"

namespace loopscope::tools {
namespace {

std::string own_program() {
  const Result<std::string> path = own_executable();
  if (!path.ok()) throw Failure(path.error());
  return *path;
}

// A step is one word, "write:a line", with the one thing in it that shells take apart in quotes.
Words of_steps(Steps steps) {
  Words words{own_program(), "act"};
  words.insert(words.end(), steps.begin(), steps.end());
  return words;
}

}  // namespace

Words copying() { return of_steps({step::copy()}); }
Words sleeping() { return of_steps({step::stay()}); }
Words ending() { return of_steps({step::exit(0)}); }
Words printing(std::string line) { return of_steps({step::write(std::move(line))}); }
Words printing_environment() { return of_steps({"write-environment"}); }
Words printing_directory() { return of_steps({"write-directory"}); }
Words printing_descriptors() { windows::lacks("table of descriptors that a child could read"); }
Words printing_descriptor(long long) { return printing_descriptors(); }

Words install_program(const std::string& folder, const std::string& name) {
  std::filesystem::copy_file(own_program(), std::filesystem::path(folder) / (name + ".exe"));
  return {name, "act", step::write("found")};
}

namespace step {
std::string copy() { return "copy"; }
std::string stay() { return "sleep"; }
std::string write(std::string line) { return "write:" + line; }
std::string write_error(std::string line) { return "write-error:" + line; }
std::string write_zeros(unsigned long long count) { return "zeros:" + std::to_string(count); }
std::string read_line() { return "read-line"; }
std::string close_input() { return "close-input"; }
std::string copy_in_background() { return "copy-in-background"; }
std::string exit(int code) { return "exit:" + std::to_string(code); }
std::string end_by_signal(int) { windows::lacks("signals that end a process"); }
}  // namespace step

Words program(Steps steps) { return of_steps(steps); }

std::string command(Steps steps) {
  const std::string& first = *steps.begin();
  if (steps.size() == 1 && first.starts_with("exit:")) return "exit " + first.substr(5);
  std::string line;
  for (const std::string& word : of_steps(steps)) {
    line += (line.empty() ? "\"" : " \"") + word + "\"";
  }
  return line;
}

const bool kEndsNameSignals = false;
const std::vector<int> kEndingSignals;
const bool kForks = false;
// Source: CreateProcess, and how the C runtime maps ERROR_BAD_EXE_FORMAT, ERROR_DIRECTORY and
// ERROR_FILENAME_EXCED_RANGE to errno.
const StartErrors kStartErrors{.no_program = ENOEXEC,
                               .folder = EACCES,
                               .no_directory = ENOTDIR,
                               .file_for_directory = ENOTDIR,
                               .too_long = ENAMETOOLONG};

}  // namespace loopscope::tools
