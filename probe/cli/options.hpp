// What a command says about its options. CLI11 reads them behind this, in one file: it takes ten
// seconds to compile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace loopscope::cli {

/// Where the value of an option goes; its type says what is accepted. bool is a flag.
using Target = std::variant<bool*, std::string*, std::vector<std::string>*, int*, unsigned*,
                            std::int64_t*, std::uint64_t*, double*>;

struct Option {
  std::string names;  // "-o,--out"; without dashes: a word at that place
  Target target;      // lives until the command has run
  std::string help;
  bool required = false;
  bool shows_default = false;                         // --help names the value that is there now
  std::vector<std::string> one_of{};                  // nothing else is accepted
  std::optional<std::pair<double, double>> within{};  // the least and the most
  bool has_variable = true;  // LOOPSCOPE_OUT stands for --out when that is not given
  bool hidden = false;       // not in --help, and without a variable
};

class Options {
 public:
  Options& add(Option option) {
    all_.push_back(std::move(option));
    return *this;
  }
  const std::vector<Option>& all() const { return all_; }

 private:
  std::vector<Option> all_;
};

/// "LOOPSCOPE_OUT"; empty when there is none.
std::string variable_of(const Option& option);

}  // namespace loopscope::cli
