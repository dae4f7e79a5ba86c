// The document of the self-test, written and read.
#include "reports/kills.hpp"

#include <fmt/format.h>

#include "reports/journal_lines.hpp"

namespace loopscope::reports {
namespace {

constexpr std::string_view kKillsSchema = "loopscope.kills/1";

}  // namespace

std::string to_json(const Kills& kills) {
  Json loops = Json::array(), trials = Json::array();
  for (const FaultyRow& row : kills.loops) {
    loops.push_back({{"name", row.name}, {"defect", row.defect}});
  }
  for (const KillTrial& trial : kills.trials) {
    trials.push_back({{"faulty", trial.faulty},
                      {"scenario", trial.scenario},
                      {"must", trial.must_fail ? "fail" : "pass"},
                      {"outcome", trial.outcome},
                      {"reason", trial.reason},
                      {"right", trial.right}});
  }
  Json page = {{"schema", kKillsSchema}, {"loops", loops}, {"trials", trials}};
  if (kills.redaction) page["redaction"] = {{"fields", kills.redaction->fields}};
  return page.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Kills> kills_from_json(std::string_view text) {
  const auto refuse = [](std::string why) {
    return make_error(Errc::protocol, "kills", std::move(why));
  };
  try {
    const Json page = Json::parse(text);
    if (!page.is_object() || page.value("schema", "") != kKillsSchema) {
      return refuse(fmt::format("the schema is not {}", kKillsSchema));
    }
    Kills kills;
    for (const Json& row : page.at("loops")) {
      kills.loops.push_back({row.at("name"), row.at("defect")});
    }
    for (const Json& row : page.at("trials")) {
      kills.trials.push_back({row.at("faulty"), row.at("scenario"), row.at("must") == "fail",
                              row.at("right"), row.at("outcome"), row.at("reason")});
    }
    if (const auto redaction = page.find("redaction"); redaction != page.end()) {
      kills.redaction = Redaction{redaction->at("fields")};
    }
    return kills;
  } catch (const Json::exception& error) {
    return refuse(error.what());
  }
}

}  // namespace loopscope::reports
