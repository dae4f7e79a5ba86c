// The command line: runs the command, and turns what it throws into an exit code.
#include <exception>

#include "harness/exit_code.hpp"
#include "harness/host.hpp"
#include "probe/cli/command.hpp"
#include "probe/cli/common.hpp"

int main(int argc, char** argv) {
  using namespace loopscope;
  std::string what = "an exception of an unknown type";
  try {
    host::ensure_standard_descriptors();
    cli::remember_arguments(argc, argv);
    return cli::run_words(cli::arguments());
  } catch (const cli::Stop& stop) {
    cli::print_error(stop.message);
    return value(stop.code);
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
  }
  cli::print_error(Message("LS070", "a bug in loopscope").fact("what", what).text());
  return value(ExitCode::bug);
}
