// The words of the facts' vocabulary, and what an errno value means for a fact.
#include <array>
#include <cerrno>

#include "probe/probe.hpp"

namespace loopscope {

std::string_view name(Unit unit) {
  constexpr std::array<std::string_view, 5> kNames{"", "ns", "bytes", "count", "s"};
  return kNames.at(static_cast<std::size_t>(unit));
}

std::string_view name(Reason reason) {
  constexpr std::array<std::string_view, 11> kNames{
      "none",           "not_implemented", "denied",  "invalid", "not_supported", "not_compiled_in",
      "not_applicable", "timeout",         "crashed", "failed",  "not_asked"};
  return kNames.at(static_cast<std::size_t>(reason));
}

std::string_view name(Method method) {
  constexpr std::array<std::string_view, 4> kNames{"tried", "api", "sysctl", "declared"};
  return kNames.at(static_cast<std::size_t>(method));
}

std::string_view name(Effect effect) {
  constexpr std::array<std::string_view, 5> kNames{"none", "process", "files", "traffic", "traces"};
  return kNames.at(static_cast<std::size_t>(effect));
}

Reason reason_of_errno(int number) {
  switch (number) {
    case 0:
      return Reason::none;
    case ENOSYS:
      return Reason::not_implemented;
    case EPERM:
    case EACCES:
      return Reason::denied;
    case EINVAL:
      return Reason::invalid;
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case ESOCKTNOSUPPORT:
    case EOPNOTSUPP:
    case ENOPROTOOPT:
    case ENOTTY:  // An ioctl that this kind of descriptor does not have.
      return Reason::not_supported;
    default:
      // ENOTSUP equals EOPNOTSUPP on some systems, so it cannot be a label beside it.
      return number == ENOTSUP ? Reason::not_supported : Reason::failed;
  }
}

}  // namespace loopscope
