// The sections of the HTML report, in the order of the page. Each writes static markup.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "reports/compare.hpp"
#include "reports/format.hpp"
#include "reports/html/writer.hpp"
#include "reports/model.hpp"

namespace loopscope::reports {
struct Kills;
}
namespace loopscope::reports::html {

/// One machine, with the runs that were made on it: more than one where shards were merged.
struct Platform {
  std::string name;  // "linux-x86_64"
  Legs runs;
};

/// A column of the matrix: a loop on a platform, also where it is absent.
struct Column {
  std::size_t platform = 0;
  const LoopRow* loop = nullptr;
};

/// What several sections need, computed once.
/// lifetime  Views of the report.
struct View {
  explicit View(const Report& report, Beside beside = {});

  Legs all;
  Catalogue catalogue;  // of all runs together
  Beside beside;        // who is compared with whom, as far as it was said
  std::vector<Platform> platforms;
  std::vector<Column> columns;                // by platform, then in the order of the catalogue
  std::vector<const ScenarioRow*> scenarios;  // those that were planned anywhere

  bool has_reference() const;  // a reference loop ran somewhere
  bool many_platforms() const { return platforms.size() > 1; }
  /// The cells of a scenario in a column, all repeats.
  const std::vector<PlacedCell>& cells(std::string_view scenario, const Column& column) const;
  /// The repeat that stands for all: the most severe one. Null without any.
  PlacedCell worst(std::string_view scenario, const Column& column) const;
  /// The anchor of a cell's evidence: "c.epoll.sched.soon.fifo", with the platform before the
  /// loop where there are several.
  std::string anchor(const PlacedCell& cell) const;
  /// "epoll", or "epoll on linux-x86_64".
  std::string loop_text(std::string_view platform, std::string_view loop) const;
  /// How a cell compares with its run's reference loop, and that loop's name.
  Relation relation_of(const PlacedCell& cell) const;
  const std::string& reference(const Run& run) const { return references_.at(&run); }

 private:
  using Key = std::tuple<std::size_t, std::string_view, std::string_view>;
  void add(const Legs& runs);
  std::map<Key, std::vector<PlacedCell>> index_;
  std::map<const Run*, std::string> references_;
};

/// True when the loop emulates a capability that the scenario needs.
bool emulates(const LoopRow& loop, const ScenarioRow& scenario);
/// A cell that says nothing but its outcome; every other one has words worth reading.
bool is_plain(const Cell& cell);

/// Expected and observed in one line, else the reason.
void write_gist(Page& page, const Cell& cell);
/// Opens a table whose columns are those of the view, behind two of its own.
void open_grid(Page& page, const View& view, std::string_view label, std::string_view kind,
               std::string_view row_head, std::string_view next_head);
/// The absent loops, and why they are absent.
void write_absent(Page& page, const View& view);

void write_overview(Page& page, const View& view);
void write_attention(Page& page, const View& view);
/// Each platform beside another one. There are several.
void write_platforms(Page& page, const View& view);
void write_matrix(Page& page, const View& view);
void write_cells(Page& page, const View& view);
void write_divergence(Page& page, const View& view);
void write_api(Page& page, const View& view);
void write_limits(Page& page, const View& view);
void write_facts(Page& page, const View& view);
void write_choose(Page& page, const View& view);
void write_legend(Page& page, const View& view);
/// What changed since another report.
void write_diff(Page& page, const View& view, const Report& before);
/// Which faulty loop failed which scenario in a self-test.
void write_kills(Page& page, const View& view, const Kills& kills);
/// What the scripts of the page read: every cell with its evidence, as compact JSON.
void write_data(Page& page, const View& view);

}  // namespace loopscope::reports::html
