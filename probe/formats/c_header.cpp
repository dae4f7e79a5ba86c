// Probe format "c-header": macros for C and C++.
#include "probe/format.hpp"

namespace loopscope::probe_formats::c_header {
namespace {

std::string literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
    if (c == '?') out += "\"\"";  // Two of them would begin a trigraph.
  }
  return out + "\"";
}

std::string render(const Probed& probed, const ProbeTextOptions&) {
  using Kind = formats::Setting::Kind;
  std::string page;
  for (const std::string& line : formats::stamp(probed)) page += "// " + line + "\n";
  page += "#ifndef LOOPSCOPE_FACTS_H\n#define LOOPSCOPE_FACTS_H\n\n";
  for (const formats::Setting& setting : formats::settings(probed)) {
    if (setting.kind == Kind::remark) {
      page += "// " + setting.name + ": " + setting.value + "\n";
      continue;
    }
    page += "#define " + setting.name + " ";
    page += (setting.kind == Kind::text ? literal(setting.value) : setting.value) + "\n";
  }
  return page + "\n#endif\n";
}

}  // namespace

extern const ProbeFormat format{
    .name = "c-header", .description = "macros for C and C++", .render = render};

}  // namespace loopscope::probe_formats::c_header
