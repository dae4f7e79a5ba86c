// Writing HTML: escaping, ids, chips.
#include "reports/html/writer.hpp"

#include <cctype>

namespace loopscope::reports::html {
namespace {

/// "docs.python.org/3/..." is an address, "man 2 epoll_ctl" is none.
bool is_address(std::string_view text) {
  if (text.find(' ') != std::string_view::npos) return false;
  if (text.substr(0, 8) == "https://") return true;
  const std::size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  if (slash == std::string_view::npos || host.find('.') == std::string_view::npos) return false;
  for (const char c : host) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '-') return false;
  }
  return true;
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : visible(text)) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string slug(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '.' || c == '-') {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "_{:02x}", byte);
    }
  }
  return out;
}

std::string scenario_id(std::string_view scenario) { return "s." + slug(scenario); }

void chip(Page& page, std::string_view word, std::string_view href, bool hollow,
          std::string_view title) {
  page.put("<a class=\"k {}{}\" href=\"#{}\"", word, hollow ? " emulated" : "", href);
  if (!title.empty()) page.put(" title=\"{}\"", title);
  page.put(">{}</a>", word);
}

void flat_chip(Page& page, std::string_view word, bool hollow) {
  page.put("<span class=\"k {}{}\">{}</span>", word, hollow ? " emulated" : "", word);
}

std::string breakable(std::string_view id) {
  std::string out;
  for (const char c : id) {
    out += escape(std::string_view(&c, 1));
    if (c == '.' || c == '_') out += "<wbr>";
  }
  return out;
}

void source(Page& page, std::string_view source) {
  if (!is_address(source)) {
    page.text(source);
    return;
  }
  const std::string_view scheme = source.substr(0, 8) == "https://" ? "" : "https://";
  page.put("<a class=\"src\" href=\"{}{}\" rel=\"noreferrer\">{}</a>", scheme, source, source);
}

}  // namespace loopscope::reports::html
