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

std::string_view meaning(Reason reason) {
  constexpr std::array<std::string_view, 11> kMeanings{
      "there is an answer",
      "ENOSYS: this kernel or library has no such call",
      "EPERM, EACCES: it exists, and this process may not",
      "EINVAL: the call exists, the request does not",
      "EOPNOTSUPP and its kin: not for this family, kind or option",
      "this build of loopscope lacks what is needed to ask",
      "a fact of another system",
      "the process that asked was killed at its deadline",
      "the process that asked died",
      "another error: the evidence names it",
      "asked on request only: --intrusive for what leaves traces, --thorough for what takes long"};
  return kMeanings.at(static_cast<std::size_t>(reason));
}

std::string_view meaning(Method method) {
  constexpr std::array<std::string_view, 4> kMeanings{
      "it was done, and its effect was looked at", "the system told", "a file of the kernel told",
      "a constant or a document says so"};
  return kMeanings.at(static_cast<std::size_t>(method));
}

std::string_view meaning(Effect effect) {
  constexpr std::array<std::string_view, 5> kMeanings{
      "looks only", "changes the process that asks, which ends soon after",
      "makes files in a temporary folder, and removes them",
      "sends over loopback; ports wait out their minute afterwards",
      "leaves something behind for a while"};
  return kMeanings.at(static_cast<std::size_t>(effect));
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
    case EOPNOTSUPP:
    case ENOPROTOOPT:
    case ENOTTY:  // An ioctl that this kind of descriptor does not have.
      return Reason::not_supported;
    default:
      // ENOTSUP equals EOPNOTSUPP on some systems, so it cannot be a label beside it.
      if (number == ENOTSUP) return Reason::not_supported;
#ifdef ESOCKTNOSUPPORT
      if (number == ESOCKTNOSUPPORT) return Reason::not_supported;
#endif
      return Reason::failed;
  }
}

}  // namespace loopscope
