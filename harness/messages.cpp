// Every message to a person: the list of ids, and the text of the ones about cells.
#include "harness/messages.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "harness/scenario.hpp"

namespace loopscope {
namespace {

constexpr MessageInfo kMessages[] = {
    {"LS001", "wrong usage", "The command line, or a LOOPSCOPE_ variable, could not be understood.",
     "loopscope COMMAND --help lists the options of a command and their variables."},
    {"LS010", "unknown id", "Nothing in this build has that name, and no pattern matched.",
     "loopscope list loops, list scenarios, list facts and list faulty print what there is."},
    {"LS012", "the query cannot be understood",
     "A query has a typing error, or names what the report does not have.",
     "loopscope explain query has the language; a word in quotes is only a word."},
    {"LS013", "nothing matches the query", "No scenario is as the query asks.",
     "loopscope list scenarios prints what there is."},
    {"LS015", "the profile cannot be used",
     "The file is no TOML, names a fact or a capability that nobody knows, or asks for what makes "
     "no "
     "sense; the line is named.",
     "loopscope list facts, or start from a profile of probe/profiles."},
    {"LS016", "not a report of facts",
     "The file is no probe and no report.json, is damaged, or contradicts itself.",
     "loopscope probe --format json writes one."},
    {"LS018", "two answers cannot both be right",
     "One fact of this machine implies another one, and both were asked; a filter or emulation may "
     "answer for one of them, or the probe is wrong.",
     "loopscope probe --fact ONE,OTHER asks both again and shows the calls."},
    {"LS011", "the loop is absent",
     "The loop is known, but cannot exist on this platform or build.",
     "loopscope explain LOOP says what it needs."},
    {"LS020", "unreadable input", "A file that was named could not be opened or read.",
     "Check the path and its permissions."},
    {"LS021", "not a journal of this schema",
     "The file is no journal, is damaged before its last line, or has another major schema.",
     "A damaged line is named with its number. Nothing was changed in the file."},
    {"LS022", "the journal ends in the middle of a line",
     "The run was stopped while it wrote that line. The cell of that line has no result; all lines "
     "before it are sound.",
     "loopscope run --resume JOURNAL runs what is missing."},
    {"LS023", "nothing is missing", "The journal has a result for every planned cell.",
     "Start a new run, or read the report."},
    {"LS024", "the journal names what this build does not know",
     "The journal was written by a build with other loops or scenarios.",
     "Resume with the build that wrote it, or start a new run."},
    {"LS025", "the journal is in use", "Another loopscope is writing to this journal.",
     "Wait for it, or end it."},
    {"LS027", "a file was not merged",
     "The file is damaged, of another schema, or says something that another file says otherwise. "
     "Without --keep-going nothing is written.",
     "The line and the reason are named; loopscope merge --help has the options that allow more."},
    {"LS028", "a leg is missing",
     "A platform that was expected, or a shard of a run, is not among the merged files.",
     "Look why that job gave no journal; in every document the leg is notrun."},
    {"LS030", "the output cannot be written",
     "A folder or file for results could not be made. Nothing was run.",
     "Choose another folder with --out."},
    {"LS031", "no final message",
     "A cell's process ended well without saying how it went. The harness or the body is at fault, "
     "or something closed descriptor 3.",
     "Run the cell alone and look at its output."},
    {"LS032", "the journal could not be continued",
     "Writing a result failed, so the run was ended. All lines before are sound.",
     "Make room, then loopscope run --resume JOURNAL."},
    {"LS033", "few descriptors",
     "The limit of open descriptors does not suffice for that many cells at a time.",
     "Raise the limit (ulimit -n), or run with fewer --jobs."},
    {"LS034", "an older journal was kept",
     "The folder had a journal, which was given another name.",
     "Nothing; delete old journals at will."},
    {"LS040", "nothing ran",
     "No cell of the selection could run here: all were skipped, unsupported "
     "or absent, or the selection was empty.",
     "loopscope list scenarios shows what each needs."},
    {"LS041", "an expectation matches nothing",
     "An entry of an expectations file names no scenario of this build.",
     "Correct or remove the entry."},
    {"LS042", "bad expectations", "An expectations file could not be understood.",
     "Each entry needs scenario, platform, outcome, why and source."},
    {"LS050", "processes were left over",
     "Processes of cells were still there after all cells had ended, and were killed.",
     "The cells that started them are to blame; run them one by one."},
    {"LS060", "the report could not be written",
     "The journal is complete; a document computed from it could not be written.",
     "loopscope report JOURNAL --format html --out FILE tries again."},
    {"LS070", "a bug in loopscope", "Something happened that the program holds for impossible.",
     "Please report it, with the journal if there is one."},
    {"LS101", "fail", "A promise that a published text makes was not kept.",
     "Expected and observed stand side by side; loopscope explain SCENARIO gives the text."},
    {"LS102", "leak", "The promise was kept, but the cell left something behind.",
     "The list says what was there after the loop was closed and destroyed, and not before."},
    {"LS103", "hang", "The cell was not done at its limit and was killed.",
     "The threads, their stacks and the last events are in the report."},
    {"LS104", "crash", "The cell's process died by a signal or with an exit code.",
     "Run it alone under a debugger."},
    {"LS105", "broken",
     "The harness or an adapter is at fault, or the loop silently used another "
     "mechanism than the one that it is named for. Nothing is said about the promise.",
     "The reason names who noticed what."},
    {"LS106", "inconclusive", "The cell ran, but this host's evidence cannot decide.",
     "Run it again on a quieter machine."},
    {"LS107", "an expected failure passes",
     "An expectations file names this cell as failing, and it does not fail any more.",
     "Remove the entry, so that a later failure is noticed."},
    {"LS108", "flaky", "Repetitions of the same cell ended differently.",
     "Run it with --repeat and look at what differs."},
};

std::string_view id_for(const CellResult& result) {
  if (result.standing == Standing::stale_expectation) return "LS107";
  switch (result.verdict.outcome) {
    case Outcome::fail:
      return "LS101";
    case Outcome::leak:
      return "LS102";
    case Outcome::hang:
      return "LS103";
    case Outcome::crash:
      return "LS104";
    case Outcome::inconclusive:
      return "LS106";
    default:
      return result.verdict.reason.rfind("harness: exit code 0 without", 0) == 0 ? "LS031"
                                                                                 : "LS105";
  }
}

std::string last_line_of(const std::string& text) {
  std::string_view rest = text;
  while (!rest.empty() && (rest.back() == '\n' || rest.back() == '\r')) rest.remove_suffix(1);
  const std::size_t start = rest.rfind('\n');
  if (start != std::string_view::npos) rest.remove_prefix(start + 1);
  return std::string(rest.substr(0, 200));
}

void add_evidence(const CellResult& result, Message& message) {
  if (const Finding* finding = shown_finding(result)) {
    if (finding->what != result.verdict.reason) message.fact("checked", finding->what);
    message.fact("expected", finding->expected)
        .fact("observed", finding->observed)
        .fact("where", finding->where);
  }
  constexpr std::size_t kShown = 4;
  for (std::size_t i = 0; i < std::min(kShown, result.said.leaks.size()); ++i) {
    const Leak& leak = result.said.leaks[i];
    message.fact("left",
                 fmt::format("{} {}: {} -> {}", leak.kind, leak.what, leak.before, leak.after));
  }
  for (std::size_t i = 0; i < std::min(kShown, result.crash.size()); ++i) {
    message.fact(i == 0 ? "died" : "in", result.crash[i]);
  }
  for (const ThreadEvidence& thread : result.child.dossier.threads) {
    message.fact("thread", fmt::format("{} {}: {}", thread.tid, thread.name,
                                       thread.stack.empty() ? thread.wchan : thread.stack.front()));
  }
  const bool died = result.verdict.outcome == Outcome::hang ||
                    result.verdict.outcome == Outcome::crash ||
                    result.verdict.outcome == Outcome::broken;
  if (died && !result.trace.empty()) {
    message.fact("last event",
                 fmt::format("{} at {} ns", result.trace.back().what, result.trace.back().t_ns));
  }
  if (died && !result.child.err.empty()) message.fact("stderr", last_line_of(result.child.err));
}

}  // namespace

std::span<const MessageInfo> all_messages() { return kMessages; }

const MessageInfo* find_message(std::string_view id) {
  const auto found = std::find_if(std::begin(kMessages), std::end(kMessages),
                                  [&](const MessageInfo& message) { return message.id == id; });
  return found == std::end(kMessages) ? nullptr : found;
}

Message::Message(std::string_view id, std::string headline, Kind kind) {
  static constexpr std::string_view kKinds[] = {"error", "warning", "note"};
  head_ = fmt::format("{} {}: {}", kKinds[static_cast<std::size_t>(kind)], id, headline);
}

Message& Message::fact(std::string_view key, std::string value) {
  if (!value.empty()) facts_.emplace_back(key, std::move(value));
  return *this;
}

std::string Message::text() const {
  std::string result = head_ + "\n";
  for (const auto& [key, value] : facts_) result += fmt::format("  {:<10} {}\n", key, value);
  return result;
}

namespace {

Message headline_of(const CellResult& result) {
  std::string text = fmt::format("{} on {}: {}", result.cell.scenario->id, result.cell.loop->name,
                                 name(result.verdict.outcome));
  if (!result.verdict.reason.empty()) text += fmt::format(" ({})", result.verdict.reason);
  const bool grave =
      result.standing == Standing::stale_expectation || is_red(result.verdict.outcome);
  return {id_for(result), std::move(text), grave ? Message::Kind::error : Message::Kind::warning};
}

}  // namespace

std::string cell_headline(const CellResult& result) {
  return headline_of(result).fact("rerun", result.rerun).text();
}

std::string cell_message(const CellResult& result) {
  const CellStatement& said = result.said;
  Message message = headline_of(result);
  message.fact("promise", std::string(result.cell.scenario->promise));
  if (result.standing == Standing::stale_expectation && result.expectation) {
    message.fact("expected", fmt::format("{}, because {}", name(result.expectation->outcome),
                                         result.expectation->why));
  }
  add_evidence(result, message);
  for (const Proof& proof : said.backend.proof) {
    if (!said.backend.proved) message.fact("backend", proof.how + ": " + proof.value);
  }
  message.fact("rerun", result.rerun);
  return message.text();
}

}  // namespace loopscope
