// Redaction: first learning which names there are, then replacing them in every free text.
#include "reports/redact.hpp"

#include <fmt/format.h>

#include <set>

#include "reports/text.hpp"

namespace loopscope::reports {
namespace {

using Set = std::set<std::string, std::less<>>;

bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         byte >= 0x80;
}

/// What may follow in the name of a folder or a machine.
bool is_name(char c) { return is_word(c) || c == '-' || c == '.'; }

/// Words that a machine's texts are full of: they name nobody.
bool is_telling(std::string_view name) {
  static const Set common{"root",      "user",      "users",       "admin",   "runner", "ubuntu",
                          "debian",    "docker",    "build",       "builder", "test",   "tester",
                          "loopscope", "localhost", "localdomain", "linux",   "none",   "public",
                          "default",   "shared",    "host",        "home",    "nobody", "vagrant",
                          "(none)",    "unknown",   "runneradmin"};
  return name.size() > 2 && common.count(lower_case(name)) == 0;
}

constexpr std::string_view kHomes[] = {"/home/", "/Users/", "\\Users\\", "\\\\Users\\\\"};

/// A home folder in a text: where it begins and ends, and whose it is.
struct Home {
  std::size_t begin = std::string::npos, end = 0;
  std::string_view user;
};

/// "C:" stands before a folder of Windows and belongs to it.
std::size_t with_drive(std::string_view text, std::size_t at) {
  const bool drive = at >= 2 && text[at] == '\\' && text[at - 1] == ':' && is_word(text[at - 2]);
  return drive ? at - 2 : at;
}

/// A path begins there: what is before is no part of a longer one ("/var/home/", "x/home/").
bool begins_path(std::string_view text, std::size_t at) {
  if (at == 0 || (at > 1 && text[at - 1] == '/' && text[at - 2] == '/')) return true;  // file://
  const char before = text[at - 1];
  return !is_name(before) && before != '/' && before != '\\' && before != '~' && before != ']';
}

/// `whole`: only where a path begins with it; else also inside of a longer one.
Home next_home(std::string_view text, std::size_t from, bool whole) {
  Home found;
  for (const std::string_view prefix : kHomes) {
    for (std::size_t at = text.find(prefix, from); at != std::string_view::npos;
         at = text.find(prefix, at + 1)) {
      const std::size_t name = at + prefix.size(), begin = with_drive(text, at);
      std::size_t end = name;
      while (end < text.size() && is_name(text[end])) ++end;
      if (end == name || (whole && !begins_path(text, begin)) || begin >= found.begin) continue;
      found = {begin, end, text.substr(name, end - name)};
      break;
    }
  }
  return found;
}

/// Calls `visit(field, text)` for every free text of a run, const or not.
template <class Of, class Visit>
void visit_fields(const char* field, Of& fields, Visit& visit) {
  for (auto& [key, value] : fields) {
    if (auto* text = std::get_if<std::string>(&value)) visit(field, *text);
    if (auto* list = std::get_if<std::vector<std::string>>(&value)) {
      for (auto& text : *list) visit(field, text);
    }
  }
}

template <class Of, class Visit>
void visit_scalar(const char* field, Of& value, Visit& visit) {
  if (auto* text = std::get_if<std::string>(&value)) visit(field, *text);
  if (auto* list = std::get_if<std::vector<std::string>>(&value)) {
    for (auto& text : *list) visit(field, text);
  }
}

template <class Of, class Visit>
void visit_fact(Of& fact, Visit& visit) {
  visit_scalar("fact.value", fact.value, visit);
  visit("fact.reason", fact.reason);
  visit("fact.note", fact.note);
  for (auto& evidence : fact.evidence) {
    visit("fact.evidence", evidence.call);
    visit("fact.evidence", evidence.result);
  }
  for (auto& row : fact.table) {
    visit("fact.table", row.name);
    for (auto& [mechanism, answer] : row.cells) visit("fact.table", answer);
  }
  for (auto& conflict : fact.conflicts) {
    visit("fact.conflicts", conflict.one_says);
    visit("fact.conflicts", conflict.other_says);
  }
  if (!fact.curve) return;
  for (auto& point : fact.curve->points) {
    visit("fact.curve", point.reason);
    visit("fact.curve", point.note);
  }
}

template <class Of, class Visit>
void visit_evidence(Of& cell, Visit& visit) {
  if (cell.backend) {
    visit("cell.backend", cell.backend->requested);
    visit("cell.backend", cell.backend->effective);
    for (auto& proof : cell.backend->proof) visit("cell.backend", proof.value);
  }
  for (auto& event : cell.trace) visit("cell.trace", event.what);
  for (auto& note : cell.notes) visit_scalar("cell.notes", note.value, visit);
  for (auto& leak : cell.leaks) {
    for (auto* text : {&leak.what, &leak.before, &leak.after}) visit("cell.leaks", *text);
  }
  visit("cell.stderr", cell.err);
  visit("cell.stdout", cell.out);
  if (!cell.dossier) return;
  for (auto& thread : cell.dossier->threads) {
    for (auto* text : {&thread.name, &thread.state, &thread.wchan}) visit("cell.dossier", *text);
    for (auto& frame : thread.stack) visit("cell.dossier", frame);
  }
  for (auto& text : cell.dossier->descriptors) visit("cell.dossier", text);
  for (auto& text : cell.dossier->last_events) visit("cell.dossier", text);
}

template <class Of, class Visit>
void visit_cell(Of& cell, Visit& visit) {
  visit("cell.reason", cell.reason);
  visit("cell.what", cell.what);
  visit("cell.expected", cell.expected);
  visit("cell.observed", cell.observed);
  visit("cell.where", cell.where);
  visit_evidence(cell, visit);
  visit_fields("cell.counters", cell.counters, visit);
  visit_fields("cell.control", cell.control, visit);
  visit("cell.rerun", cell.rerun);
  if (!cell.expectation) return;
  visit("cell.expectation", cell.expectation->why);
  visit("cell.expectation", cell.expectation->source);
}

template <class Of, class Visit>
void visit_texts(Of& run, Visit visit) {
  visit_fields("header.loopscope", run.header.tool, visit);
  visit_fields("header.host", run.header.host, visit);
  for (auto& word : run.header.argv) visit("header.argv", word);
  for (auto& word : run.header.selected_loops) visit("header.selection", word);
  for (auto& word : run.header.selected_scenarios) visit("header.selection", word);
  visit_fields("header.environment_options", run.header.environment_options, visit);
  for (auto& loop : run.catalogue.loops) {
    visit("loops.absent_because", loop.absent_because);
    visit("loops.version", loop.version);
  }
  for (auto& row : run.catalogue.scenarios) visit("scenarios.file", row.file);
  for (auto& fact : run.facts) visit_fact(fact, visit);
  for (auto& cell : run.cells) visit_cell(cell, visit);
  visit("run.incomplete_because", run.incomplete_because);
}

/// Of a kill matrix: what its reasons say.
template <class Visit>
void visit_texts(Kills& kills, Visit visit) {
  for (KillTrial& trial : kills.trials) visit("trials.reason", trial.reason);
}

class Redactor {
 public:
  explicit Redactor(const LocalNames& names) {
    for (const std::string& user : names.users) add(users_, user);
    for (const std::string& host : names.hosts) add_host(host);
    for (const std::string& home : names.homes) {
      if (home.size() > 1) homes_.insert(home);
    }
  }

  void learn(const Run& run) {
    for (const Fields* fields : {&run.header.host, &run.header.environment_options}) {
      for (const auto& [key, value] : *fields) learn_key(lower_case(key), to_text(value));
    }
    for (const Fact& fact : run.facts) learn_key(lower_case(fact.id), to_text(fact.value));
    learn_homes(run);
  }
  /// Whose home folders the texts mention.
  template <class Document>
  void learn_homes(Document& document) {
    visit_texts(document, [&](const char*, const std::string& text) {
      for (Home home = next_home(text, 0, false); home.begin != std::string::npos;
           home = next_home(text, home.end, false)) {
        add(users_, home.user);
      }
    });
  }

  /// Replaces, and says where in document.redaction.
  template <class Document>
  void apply(Document& document) const {
    Set fields;
    visit_texts(document, [&](const char* field, std::string& text) {
      if (text.size() < 3) return;
      std::string clean = without_names(without_homes(text));
      if (clean == text) return;
      fields.insert(field);
      text = std::move(clean);
    });
    if (std::optional<Redaction>& earlier = document.redaction; earlier) {
      fields.insert(earlier->fields.begin(), earlier->fields.end());
    }
    document.redaction = Redaction{{fields.begin(), fields.end()}};
  }

 private:
  static void add(Set& names, std::string_view name) {
    if (is_telling(name)) names.emplace(name);
  }
  /// "box.example.org" is "box" as well.
  void add_host(const std::string& host) {
    add(hosts_, host);
    add(hosts_, host.substr(0, host.find('.')));
  }

  void learn_key(const std::string& key, const std::string& value) {
    const std::string last = key.substr(key.find_last_of("._") + 1);
    if (last == "hostname" || last == "nodename" || last == "computername") add_host(value);
    if (last == "user" || last == "username" || last == "logname") add(users_, value);
    if (last == "home" || last == "userprofile") {
      if (value.size() > 1 && value.find_first_of("/\\") != std::string::npos) homes_.insert(value);
    }
  }

  std::string without_homes(const std::string& text) const {
    std::string out;
    std::size_t done = 0;
    for (Home home = next_home(text, 0, true); home.begin != std::string::npos;
         home = next_home(text, home.end, true)) {
      out.append(text, done, home.begin - done).append("~");
      done = home.end;
    }
    out.append(text, done, std::string::npos);
    for (const std::string& home : homes_) replace(out, home, "~", is_name);
    replace(out, "/root", "~", is_name);
    return out;
  }

  std::string without_names(std::string text) const {
    for (const std::string& user : users_) replace(text, user, "[user]", is_word);
    // The longest first: "box.example.org" before "box".
    for (auto host = hosts_.rbegin(); host != hosts_.rend(); ++host) {
      replace(text, *host, "[host]", is_word);
    }
    return text;
  }

  /// Every occurrence that is not a part of a longer name.
  static void replace(std::string& text, std::string_view what, std::string_view with,
                      bool (*belongs)(char)) {
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at)) {
      const std::size_t end = at + what.size();
      const bool whole =
          (end == text.size() || !belongs(text[end])) &&
          (what.front() == '/' || what.front() == '\\' ? begins_path(text, at)
                                                       : at == 0 || !belongs(text[at - 1]));
      if (whole) text.replace(at, what.size(), with);
      at += whole ? with.size() : 1;
    }
  }

  Set users_, hosts_, homes_;
};

}  // namespace

void redact(Run& run, const LocalNames& names) {
  Redactor redactor(names);
  redactor.learn(run);
  redactor.apply(run);
}

void redact(Report& report, const LocalNames& names) {
  for (Run& leg : report.legs) redact(leg, names);
}

void redact(Kills& kills, std::span<const Run> beside, const LocalNames& names) {
  Redactor redactor(names);
  for (const Run& leg : beside) redactor.learn(leg);
  redactor.learn_homes(kills);
  redactor.apply(kills);
}

namespace {

std::string text_of_fields(const Set& fields) {
  if (fields.empty()) return {};
  return fmt::format("names and home folders were taken out of {}", fmt::join(fields, ", "));
}

void add(Set& fields, const std::optional<Redaction>& redaction) {
  if (redaction) fields.insert(redaction->fields.begin(), redaction->fields.end());
}

}  // namespace

std::string redaction_text(Legs legs) {
  Set fields;
  for (const Run& leg : legs) add(fields, leg.redaction);
  return text_of_fields(fields);
}

std::string redaction_text(const Kills& kills) {
  Set fields;
  add(fields, kills.redaction);
  return text_of_fields(fields);
}

}  // namespace loopscope::reports
