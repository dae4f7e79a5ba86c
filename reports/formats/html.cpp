// Report format "html": one file that needs no network, no script and no colour.
#include "reports/format.hpp"
#include "reports/html/assets.hpp"
#include "reports/html/sections.hpp"
#include "reports/tally.hpp"

namespace loopscope::formats::html {
namespace {

using namespace reports;

/// Replaces the one occurrence of a placeholder in the skeleton.
void fill(std::string& page, std::string_view placeholder, std::string_view content) {
  const std::size_t at = page.find(placeholder);
  if (at != std::string::npos) page.replace(at, placeholder.size(), content);
}

Result<std::string> render_html(const Report& report, const RenderOptions&) {
  const Run& run = report.legs.front();
  const reports::html::View view(run);
  reports::html::Page body;
  if (report.restriction) {
    body.put("<p class=\"warning\" id=\"restriction\">Restricted by a {}.</p>",
             restriction_text(report));
  }
  if (report.legs.size() > 1) {
    body.put("<p class=\"warning\">This page shows {}, the first of {} runs.</p>", run.platform,
             report.legs.size());
  }
  reports::html::write_overview(body, view);
  reports::html::write_attention(body, view);
  reports::html::write_matrix(body, view);
  reports::html::write_cells(body, view);
  reports::html::write_facts(body, view);
  reports::html::write_limits(body, view);
  reports::html::write_api(body, view);
  reports::html::write_legend(body, view);

  // The body last: what a journal says must not be searched for placeholders.
  std::string page(reports::html::asset_page());
  fill(page, "<!--title-->",
       reports::html::escape("loopscope: " + verdict(run) + ", " + text_of(run.header.host, "os") +
                             " " + text_of(run.header.host, "kernel")));
  fill(page, "/*style*/", reports::html::asset_style());
  fill(page, "/*script*/", reports::html::asset_script());
  fill(page, "<!--body-->", body.take());
  return page;
}

}  // namespace

extern const Format format{.name = "html",
                           .extension = ".html",
                           .description = "one offline page for a browser",
                           .render = render_html};

}  // namespace loopscope::formats::html
