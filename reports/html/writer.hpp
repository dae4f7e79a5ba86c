// Writing HTML: text is escaped unless it is said to be markup.
#pragma once

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <string_view>
#include <type_traits>

#include "reports/model.hpp"
#include "reports/text.hpp"

namespace loopscope::reports::html {

/// Visible text as it may stand in an element or in a quoted attribute.
std::string escape(std::string_view text);
/// A string as a fragment id: letters, digits, ".", "-"; the rest as "_2f".
std::string slug(std::string_view text);
/// The id of a scenario's section: "s.sched.soon.fifo".
std::string scenario_id(std::string_view scenario);

/// Markup among arguments that are escaped otherwise.
struct Raw {
  std::string_view markup;
};

/// A growing page.
class Page {
 public:
  Page& raw(std::string_view markup) {
    page_ += markup;
    return *this;
  }
  Page& text(std::string_view text) { return raw(escape(text)); }
  /// Markup with "{}" for arguments that are escaped; numbers are as they are.
  template <class... Args>
  Page& put(std::string_view markup, const Args&... args) {
    return format(markup, safe(args)...);
  }
  std::string take() { return std::move(page_); }

 private:
  template <class T>
  static auto safe(const T& value) {
    if constexpr (std::is_same_v<T, Raw>) {
      return value.markup;
    } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
      return escape(value);
    } else {
      return value;
    }
  }
  template <class... Values>
  Page& format(std::string_view markup, const Values&... values) {
    fmt::vformat_to(std::back_inserter(page_), markup, fmt::make_format_args(values...));
    return *this;
  }
  std::string page_;
};

/// An outcome as a chip: symbol, word, colour, and a link to its evidence. `hollow` draws the
/// outline only: the capability is emulated by our adapter.
void chip(Page& page, std::string_view word, std::string_view href, bool hollow = false,
          std::string_view title = {});
/// The same without a link.
void flat_chip(Page& page, std::string_view word, bool hollow = false);
/// An id with places where a narrow column may break it.
std::string breakable(std::string_view id);
/// A source as a link where it is an address, else as text.
void source(Page& page, std::string_view source);

}  // namespace loopscope::reports::html
