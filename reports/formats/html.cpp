// Report format "html": one file that needs no network, no script and no colour.
#include "reports/format.hpp"
#include "reports/html/sections.hpp"
#include "reports/html/skeleton.hpp"
#include "reports/redact.hpp"
#include "reports/tally.hpp"

namespace loopscope::formats::html {
namespace {

using namespace reports;

struct Section {
  std::string_view id, title;
  void (*write)(reports::html::Page& page, const reports::html::View& view);
  bool of_several = false;  // only where there are several platforms
};
constexpr Section kSections[] = {{"attention", "Attention", reports::html::write_attention},
                                 {"platforms", "Platforms", reports::html::write_platforms, true},
                                 {"matrix", "Matrix", reports::html::write_matrix},
                                 {"cells", "Evidence", reports::html::write_cells},
                                 {"divergence", "Differences", reports::html::write_divergence},
                                 {"choose", "Choose", reports::html::write_choose},
                                 {"api", "API", reports::html::write_api},
                                 {"limits", "Limits", reports::html::write_limits},
                                 {"facts", "Facts", reports::html::write_facts}};

std::string title_of(const Report& report) {
  std::string what = fmt::format("{} runs", report.legs.size());
  if (report.legs.size() == 1) {
    const Fields& host = report.legs.front().header.host;
    what = text_of(host, "os") + " " + text_of(host, "kernel");
  }
  return "loopscope: " + verdict(report) + ", " + what;
}

Result<std::string> render_html(const Report& report, const RenderOptions& options) {
  const reports::html::View view(report, options.beside);
  reports::html::Page body, views, data;
  if (report.restriction) {
    body.put("<p class=\"warning\" id=\"restriction\">Restricted by a {}.</p>",
             restriction_text(report));
  }
  if (const std::string text = redaction_text(report); !text.empty()) {
    body.put("<p class=\"note\" id=\"redaction\">For sharing, {}.</p>", text);
  }
  reports::html::write_overview(body, view);
  const auto link = [&](std::string_view id, std::string_view title) {
    views.put("<a href=\"#{}\">{}</a>\n", id, title);
  };
  for (const Section& section : kSections) {
    if (section.of_several && !view.many_platforms()) continue;
    section.write(body, view);
    link(section.id, section.title);
  }
  if (options.baseline != nullptr) {
    reports::html::write_diff(body, view, *options.baseline);
    link("diff", "Changes");
  }
  if (options.kills != nullptr) {
    reports::html::write_kills(body, view, *options.kills);
    link("kills", "Kill matrix");
  }
  reports::html::write_legend(body, view);
  link("legend", "Legend");
  reports::html::write_data(data, view);

  return reports::html::filled(
      {.title = title_of(report),
       .jump = "<a class=\"jump\" href=\"#attention\">Skip to what needs attention</a>",
       .views = views.take(),
       .body = body.take(),
       .data = data.take()});
}

}  // namespace

extern const Format format{.name = "html",
                           .extension = ".html",
                           .description = "one offline page for a browser",
                           .render = render_html};

}  // namespace loopscope::formats::html
