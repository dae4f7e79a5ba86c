// Probe formats: each a pure function from the facts of a machine to a document.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "probe/environment.hpp"
#include "probe/probe.hpp"
#include "probe/render.hpp"

namespace loopscope {

/// What `loopscope probe` found out.
struct Probed {
  std::span<const MeasuredFact> facts;
  const HostBlock& host;
  std::chrono::nanoseconds took;
};

struct ProbeFormat {
  std::string_view name;         // "c-header"; used on the command line
  std::string_view description;  // one phrase for a list of formats
  std::string (*render)(const Probed& probed, const ProbeTextOptions& options);
};

std::span<const ProbeFormat* const> all_probe_formats();  // generated

namespace formats {

/// The fact's id as programs name it: "EPOLL_EXCLUSIVE" for epoll.exclusive.
std::string macro_name(std::string_view id);
/// Lines that say which machine this is, that it is no other one, and the identity; without the
/// marks of a comment.
std::vector<std::string> stamp(const Probed& probed);

/// A line of a document for builds.
struct Setting {
  enum class Kind : std::uint8_t {
    yes,     // LOOPSCOPE_HAVE_x or LOOPSCOPE_NO_x of a fact that is answered so
    number,  // LOOPSCOPE_VALUE_x of a number
    text,    // LOOPSCOPE_VALUE_x of a word or a set ("a,b"), printable ASCII; the identity
    remark   // no setting: the fact is unknown, and value says why
  };
  Kind kind;
  std::string name;   // "LOOPSCOPE_HAVE_EPOLL_EXCLUSIVE"
  std::string value;  // "1" of a yes
  std::string help;   // the fact's question
};
/// The identity first, then what the facts say, in their order.
std::vector<Setting> settings(const Probed& probed);

}  // namespace formats
}  // namespace loopscope
