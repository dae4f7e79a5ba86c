// Probe format "html": one offline page, the facts as in the report of a run.
#include <nlohmann/json.hpp>

#include "probe/format.hpp"
#include "reports/html/assets.hpp"
#include "reports/html/sections.hpp"
#include "reports/journal_lines.hpp"

namespace loopscope::probe_formats::html {
namespace {

/// By way of the journal's line: a report is made of those.
reports::Fact as_reported(const MeasuredFact& fact) {
  return reports::read_fact(reports::Json::parse(fact_json(fact)));
}

std::string render(const Probed& probed, const ProbeTextOptions&) {
  reports::Run run;
  for (const auto& [field, value] : probed.host) run.header.host.emplace_back(field, value);
  for (const MeasuredFact& fact : probed.facts) run.facts.push_back(as_reported(fact));

  reports::html::Page page;
  page.put(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src 'unsafe-inline'; img-src data:\">\n"
      "<title>loopscope probe: {} {}</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n",
      reports::text_of(run.header.host, "os"), reports::text_of(run.header.host, "kernel"));
  page.raw(reports::html::asset_style()).raw("\n</style>\n</head>\n<body>\n<main>\n");
  page.raw("<section><h1>loopscope probe</h1>");
  for (const std::string& line : formats::stamp(probed)) page.put("<p>{}</p>", line);
  page.raw("<div class=\"scroll\"><table class=\"plain\"><tbody>");
  for (const auto& [field, value] : run.header.host) {
    page.put("<tr><th scope=\"row\">{}</th><td>{}</td></tr>", field, reports::to_text(value));
  }
  page.raw("</tbody></table></div></section>");
  const reports::Report report = reports::report_of(std::move(run));
  reports::html::write_facts(page, reports::html::View(report));
  page.raw("</main>\n</body>\n</html>\n");
  return page.take();
}

}  // namespace

extern const ProbeFormat format{
    .name = "html", .description = "one offline page for a browser", .render = render};

}  // namespace loopscope::probe_formats::html
