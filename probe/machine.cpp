// Reports of facts, read as a stream of events: nothing but the answers is ever in memory.
#include "probe/machine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "probe/render.hpp"

namespace loopscope {
namespace {

using ReportJson = nlohmann::json;

/// Where the parser is: "facts" > an element > "samples" > "p50" is depth 4.
class FactReader : public nlohmann::json_sax<ReportJson> {
 public:
  bool null() override { return scalar(FactValue()); }
  bool boolean(bool flag) override { return scalar(flag); }
  bool number_integer(std::int64_t number) override { return scalar(number); }
  bool number_unsigned(std::uint64_t number) override {
    if (number <= INT64_MAX) return scalar(static_cast<std::int64_t>(number));
    return scalar(static_cast<double>(number));
  }
  bool number_float(double number, const std::string&) override { return scalar(number); }
  bool string(std::string& text) override { return scalar(std::move(text)); }
  bool binary(ReportJson::binary_t&) override { return true; }

  bool start_object(std::size_t) override {
    if (depth_ == 2 && top() == "facts") fact_ = {}, has_value_ = false;
    return ++depth_ > 0;
  }
  bool end_object() override {
    --depth_;
    return !(depth_ == 2 && top() == "facts") || finish_fact();
  }
  bool start_array(std::size_t) override {
    if (depth_ == 0) return refuse("the document is no object");
    if (depth_ == 2 && top() == "host") machine_.host.emplace_back(keys_[2], Set());
    if (depth_ == 3 && top() == "facts" && keys_[3] == "value") set_value(Set());
    return ++depth_ > 0;
  }
  bool end_array() override { return --depth_ > 0; }
  bool key(std::string& name) override {
    if (depth_ < keys_.size()) keys_[depth_] = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const ReportJson::exception& error) override {
    position_ = position;
    std::string_view what =
        error.what();  // "[json...] parse error at line 1, column 2: syntax ..."
    const std::size_t colon = what.find(": ");
    return refuse(std::string("not JSON: ") +
                  std::string(colon == what.npos ? what : what.substr(colon + 2)));
  }

  /// What is wrong; empty when all is well.
  std::string complaint(bool parsed) const {
    if (!complaint_.empty() || !parsed) return complaint_;
    if (schema_ != "loopscope.probe/1" && schema_ != "loopscope.report/1") {
      return schema_.empty() ? "no schema: neither loopscope.probe/1 nor loopscope.report/1"
                             : "the schema \"" + schema_ + "\" is not known";
    }
    if (machine_.host.empty()) return "no host";
    if (machine_.facts.empty()) return "no facts";
    return {};
  }
  /// Octets that were read before a complaint of the parser.
  std::size_t position() const { return position_; }
  Machine take() { return std::move(machine_); }

 private:
  using Set = std::vector<std::string>;

  const std::string& top() const { return keys_[1]; }

  bool refuse(std::string complaint) {
    if (complaint_.empty()) complaint_ = std::move(complaint);
    return false;
  }

  void set_value(FactValue value) {
    fact_.value = std::move(value);
    has_value_ = true;
  }

  bool scalar(FactValue value) {
    if (depth_ == 0) return refuse("the document is no object");
    if (depth_ == 1 && top() == "schema") schema_ = text(value);
    if (top() == "host") return host(std::move(value));
    if (top() != "facts") return true;
    if (depth_ == 2) return refuse("a fact is no object");
    if (depth_ == 3) return fact_field(keys_[3], std::move(value));
    if (depth_ != 4) return true;
    if (keys_[3] == "value") std::get<Set>(fact_.value).push_back(text(value));
    if (keys_[3] == "samples") sample(keys_[4], value);
    return true;
  }

  bool host(FactValue value) {
    if (depth_ == 2) machine_.host.emplace_back(keys_[2], std::move(value));
    if (depth_ == 3) {
      if (auto* set = std::get_if<Set>(&machine_.host.back().second)) set->push_back(text(value));
    }
    return true;
  }

  bool fact_field(const std::string& name, FactValue value) {
    if (name == "value") {
      set_value(std::move(value));
    } else if (name == "id") {
      fact_.id = text(value);
    } else if (name == "unit") {
      fact_.unit = text(value);
    } else if (name == "reason") {
      fact_.reason = text(value);
    } else if (name == "note") {
      fact_.note = text(value);
    }
    return true;
  }

  void sample(const std::string& name, const FactValue& value) {
    double number = 0;
    if (const auto* whole = std::get_if<std::int64_t>(&value)) {
      number = static_cast<double>(*whole);
    } else if (const auto* real = std::get_if<double>(&value)) {
      number = *real;
    } else {
      return;
    }
    if (!fact_.samples) fact_.samples.emplace();
    Quantiles& q = *fact_.samples;
    if (name == "n") q.n = static_cast<std::size_t>(number);
    for (const auto& [field, place] : {std::pair{"min", &q.min},
                                       {"p50", &q.p50},
                                       {"p90", &q.p90},
                                       {"p99", &q.p99},
                                       {"max", &q.max}}) {
      if (name == field) *place = number;
    }
  }

  bool finish_fact() {
    if (fact_.id.empty()) return refuse("a fact without an id");
    if (!has_value_) return refuse("the fact " + fact_.id + " has no value");
    if (!ids_.insert(fact_.id).second) {
      return refuse("the fact " + fact_.id + " is answered twice");
    }
    if (std::holds_alternative<std::monostate>(fact_.value) &&
        (fact_.reason.empty() || fact_.reason == "none")) {
      return refuse("the fact " + fact_.id + " is null without a reason");
    }
    machine_.facts.push_back(std::move(fact_));
    return true;
  }

  static std::string text(const FactValue& value) {
    const auto* string = std::get_if<std::string>(&value);
    return string == nullptr ? std::string() : *string;
  }

  std::size_t depth_ = 0, position_ = 0;
  std::array<std::string, 5> keys_;  // of the objects that the parser is in
  std::string schema_, complaint_;
  Machine machine_;
  KnownFact fact_;
  bool has_value_ = false;
  std::unordered_set<std::string> ids_;
};

}  // namespace

bool holds(const FactValue& value) {
  struct Visitor {
    bool operator()(std::monostate) const { return false; }
    bool operator()(bool flag) const { return flag; }
    bool operator()(std::int64_t number) const { return number > 0; }
    bool operator()(double number) const { return number > 0; }
    bool operator()(const std::string& text) const { return !text.empty(); }
    bool operator()(const std::vector<std::string>& list) const { return !list.empty(); }
  };
  return std::visit(Visitor{}, value);
}

const KnownFact* Machine::find(std::string_view id) const {
  const auto found = std::find_if(facts.begin(), facts.end(),
                                  [&](const KnownFact& fact) { return fact.id == id; });
  return found == facts.end() ? nullptr : &*found;
}

std::string Machine::host_text(std::string_view field) const {
  const auto found =
      std::find_if(host.begin(), host.end(), [&](const auto& one) { return one.first == field; });
  return found == host.end() ? std::string() : value_text({.value = found->second});
}

Machine machine_of(std::span<const MeasuredFact> facts, HostBlock host) {
  Machine machine{.host = std::move(host), .facts = {}};
  for (const MeasuredFact& fact : facts) {
    machine.facts.push_back({.id = fact.id,
                             .value = fact.result.value,
                             .unit = std::string(name(fact.result.unit)),
                             .reason = std::string(name(fact.result.reason)),
                             .note = fact.result.note,
                             .samples = quantiles(fact.result.samples)});
  }
  return machine;
}

Result<Machine> read_machine(std::string_view json) {
  FactReader reader;
  const bool parsed = ReportJson::sax_parse(json.begin(), json.end(), &reader);
  const std::string complaint = reader.complaint(parsed);
  if (complaint.empty()) return reader.take();
  if (reader.position() == 0) return make_error(Errc::protocol, "read report", complaint);
  const std::string_view before = json.substr(0, reader.position());
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  return make_error(Errc::protocol, "read report", fmt::format("line {}: {}", line, complaint));
}

Result<Machine> read_machine_file(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return errno_error_of(EISDIR, "open report", path);
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return errno_error_of(errno != 0 ? errno : ENOENT, "open report", path);
  std::string text;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) {  // a pipe: it has no size
    text.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  } else {
    text.resize(static_cast<std::size_t>(size));
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad()) return errno_error_of(EIO, "read report", path);
  return read_machine(text);
}

}  // namespace loopscope
