// Probe format "env": assignments for a POSIX shell.
#include "probe/format.hpp"

namespace loopscope::probe_formats::env {
namespace {

std::string word(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
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
    page += setting.name + "=";
    page += (setting.kind == Kind::text ? word(setting.value) : setting.value) + "\n";
  }
  return page;
}

}  // namespace

extern const ProbeFormat format{
    .name = "env", .description = "assignments for a POSIX shell", .render = render};

}  // namespace loopscope::probe_formats::env
