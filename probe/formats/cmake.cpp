// Probe format "cmake": cache entries for cmake -C.
#include "probe/format.hpp"

namespace loopscope::probe_formats::cmake {
namespace {

std::string argument(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\' || c == '$' || c == '@') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string render(const Probed& probed, const ProbeTextOptions&) {
  using Kind = formats::Setting::Kind;
  std::string page;
  for (const std::string& line : formats::stamp(probed)) page += "# " + line + "\n";
  for (const formats::Setting& setting : formats::settings(probed)) {
    if (setting.kind == Kind::remark) {
      page += "# " + setting.name + ": " + setting.value + "\n";
      continue;
    }
    const bool yes = setting.kind == Kind::yes;
    page += "set(" + setting.name + " " + (yes ? "ON" : argument(setting.value)) + " CACHE ";
    page += (yes ? "BOOL " : "STRING ") + argument(setting.help) + " FORCE)\n";
  }
  return page;
}

}  // namespace

extern const ProbeFormat format{
    .name = "cmake", .description = "cache entries for cmake -C", .render = render};

}  // namespace loopscope::probe_formats::cmake
