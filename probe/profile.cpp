// Profiles over toml++, which is read here and nowhere else: it takes seconds to compile.
#include "probe/profile.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>

#include "harness/patterns.hpp"

namespace loopscope {
namespace {

constexpr WaitRow kWaitRows[] = {
    {"select", "select", "select", {}, "select.fd_setsize"},
    {"pselect", "select", "select", {}, "select.fd_setsize"},
    {"poll", "ppoll", "poll", {"poll.present"}},
    {"ppoll", "ppoll", "poll", {"poll.present"}},
    {"epoll_wait", "epoll_wait", "epoll", {"epoll.create1"}},
    {"epoll_pwait", "epoll_wait", "epoll", {"epoll.create1"}},
    {"epoll_pwait2", "epoll_pwait2", "epoll", {"epoll.create1"}},
    {"io_uring_enter", "io_uring", "io_uring", {"uring.setup", "uring.enter"}},
    {"kevent", "kevent", "kqueue", {"kqueue.filters"}},
};

/// Thrown inside this file only.
struct Wrong {
  toml::source_index line;
  std::string what;
};

[[noreturn]] void refuse(const toml::node& where, std::string what) {
  throw Wrong{where.source().begin.line, std::move(what)};
}

const std::string& text_of(const toml::node& node, std::string_view key) {
  const auto* text = node.as_string();
  if (text == nullptr) refuse(node, fmt::format("\"{}\" has to be a text", key));
  return text->get();
}

double number_of(const toml::node& node, std::string_view key) {
  const std::optional<double> number = node.value<double>();
  if (!node.is_number() || !number) refuse(node, fmt::format("\"{}\" has to be a number", key));
  return *number;
}

class Reader {
 public:
  Reader(std::string_view name, const Vocabulary& vocabulary) : vocabulary_(vocabulary) {
    profile_.name = name;
  }

  Profile read(const toml::table& root) {
    for (const auto& [key, node] : root) {
      if (key == "title") {
        profile_.title = text_of(node, "title");
      } else if (key == "about") {
        profile_.about = text_of(node, "about");
      } else if (key != "must" && key != "want") {
        unknown_key(node, key.str(), {"title", "about", "must", "want"});
      }
    }
    for (const bool must : {true, false}) {
      const toml::node* node = root.get(must ? "must" : "want");
      if (node != nullptr) read_level(*node, must);
    }
    if (profile_.requirements.empty()) refuse(root, "it requires nothing");
    return std::move(profile_);
  }

 private:
  static void unknown_key(const toml::node& where, std::string_view key,
                          const std::vector<std::string>& known) {
    refuse(where, fmt::format("\"{}\" is not known here; known: {}", key, fmt::join(known, ", ")));
  }

  static void check_name(const toml::node& where, std::string_view kind, std::string_view wanted,
                         const std::vector<std::string>& known) {
    if (std::find(known.begin(), known.end(), wanted) != known.end()) return;
    const std::vector<std::string> near = near_matches(wanted, known);
    refuse(where, fmt::format("no {} is called \"{}\"{}{}", kind, wanted,
                              near.empty() ? "" : "; near: ", fmt::join(near, ", ")));
  }

  /// An id with the placeholder is known when some wait's fact is.
  void check_fact(const toml::node& where, const std::string& id) const {
    if (!has_placeholder(id)) return check_name(where, "fact", id, vocabulary_.facts);
    for (const WaitRow& row : kWaitRows) {
      const auto& facts = vocabulary_.facts;
      if (std::find(facts.begin(), facts.end(), expanded(id, row)) != facts.end()) return;
    }
    refuse(where, fmt::format("no fact is called \"{}\", whatever the loop waits with", id));
  }

  template <class Each>
  static void texts(const toml::node& node, std::string_view key, Each each) {
    const toml::array* list = node.as_array();
    if (list == nullptr) refuse(node, fmt::format("\"{}\" has to be a list of texts", key));
    for (const toml::node& element : *list) each(element, text_of(element, key));
  }

  void read_level(const toml::node& level, bool must) {
    using Kind = Requirement::Kind;
    const toml::table* table = level.as_table();
    if (table == nullptr) refuse(level, must ? "[must] is a table" : "[want] is a table");
    auto& out = profile_.requirements;
    for (const auto& [name, node] : *table) {
      const std::string_view key = name.str();
      if (key == "capabilities") {
        texts(node, key, [&](const toml::node& where, const std::string& id) {
          check_name(where, "capability", id, vocabulary_.capabilities);
          out.push_back({.kind = Kind::capability, .must = must, .id = id});
        });
      } else if (key == "facts" || key == "no") {
        texts(node, key, [&](const toml::node& where, const std::string& id) {
          check_fact(where, id);
          out.push_back({.kind = Kind::fact, .must = must, .id = id, .answer = key == "facts"});
        });
      } else if (key == "descriptors") {
        out.push_back({.kind = Kind::descriptors,
                       .must = must,
                       .id = "descriptors",
                       .at_least = number_of(node, key)});
      } else if (key == "numbers") {
        read_numbers(node, must);
      } else {
        unknown_key(node, key, {"capabilities", "facts", "no", "numbers", "descriptors"});
      }
    }
  }

  void read_numbers(const toml::node& node, bool must) {
    const toml::table* table = node.as_table();
    if (table == nullptr) refuse(node, "\"numbers\" has to be a table");
    for (const auto& [id, bounds] : *table) {
      check_fact(bounds, std::string(id.str()));
      const toml::table* fields = bounds.as_table();
      if (fields == nullptr)
        refuse(bounds, "a number's bounds are { at_least = ..., at_most = ... }");
      Requirement one{.kind = Requirement::Kind::number, .must = must, .id = std::string(id.str())};
      for (const auto& [field, value] : *fields) {
        if (field == "at_least") {
          one.at_least = number_of(value, "at_least");
        } else if (field == "at_most") {
          one.at_most = number_of(value, "at_most");
        } else if (field == "of") {
          one.of = text_of(value, "of");
          check_name(value, "quantile", one.of, {"min", "p50", "p90", "p99", "max"});
        } else {
          unknown_key(value, field.str(), {"at_least", "at_most", "of"});
        }
      }
      if (!one.at_least && !one.at_most) refuse(bounds, "a number without a bound");
      if (one.at_least && one.at_most && *one.at_least > *one.at_most) {
        refuse(bounds, "no number is within these bounds");
      }
      profile_.requirements.push_back(std::move(one));
    }
  }

  const Vocabulary& vocabulary_;
  Profile profile_;
};

Error wrong(toml::source_index line, std::string_view what) {
  return make_error(Errc::protocol, "read profile", fmt::format("line {}: {}", line, what));
}

}  // namespace

std::string_view name(Requirement::Kind kind) {
  constexpr std::array<std::string_view, 4> kNames{"capability", "fact", "number", "descriptors"};
  return kNames.at(static_cast<std::size_t>(kind));
}

std::span<const WaitRow> wait_rows() { return kWaitRows; }

bool has_placeholder(std::string_view id) {
  return id.find(kWait) != id.npos || id.find(kMechanism) != id.npos;
}

std::string expanded(std::string id, const WaitRow& row) {
  for (const auto& [placeholder, word] :
       {std::pair{kWait, row.wait}, std::pair{kMechanism, row.mechanism}}) {
    const std::size_t at = id.find(placeholder);
    if (at != id.npos) id.replace(at, placeholder.size(), word);
  }
  return id;
}

Result<Profile> read_profile(std::string_view toml, std::string_view name,
                             const Vocabulary& vocabulary) {
  try {
    return Reader(name, vocabulary).read(toml::parse(toml));
  } catch (const toml::parse_error& error) {
    return wrong(error.source().begin.line, error.description());
  } catch (const Wrong& error) {
    return wrong(error.line, error.what);
  }
}

}  // namespace loopscope
