// Filling the skeleton of the page.
#include "reports/html/skeleton.hpp"

#include "reports/html/assets.hpp"
#include "reports/html/writer.hpp"

namespace loopscope::reports::html {
namespace {

/// Replaces the one occurrence of a placeholder.
void fill(std::string& page, std::string_view placeholder, std::string_view content) {
  const std::size_t at = page.find(placeholder);
  if (at != std::string::npos) page.replace(at, placeholder.size(), content);
}

}  // namespace

std::string filled(const Skeleton& skeleton) {
  std::string page(asset_page());
  std::string script;
  if (skeleton.scripts) {
    script = "<script>\n'use strict';\n(() => {\n";
    script.append(asset_script()).append("\n})();\n</script>");
  }
  fill(page, "<!--policy-->", skeleton.scripts ? "script-src 'unsafe-inline'; " : "");
  fill(page, "<!--early-->",
       skeleton.scripts ? "<script>document.documentElement.className = 'scripts';</script>" : "");
  fill(page, "<!--jump-->", skeleton.jump);
  fill(page, "<!--views-->", skeleton.views);
  fill(page, "/*style*/", asset_style());
  fill(page, "<!--script-->", script);
  // What a journal says comes last: it must not be searched for placeholders.
  fill(page, "<!--title-->", escape(skeleton.title));
  fill(page, "<!--data-->", skeleton.data);
  fill(page, "<!--body-->", skeleton.body);
  return page;
}

}  // namespace loopscope::reports::html
