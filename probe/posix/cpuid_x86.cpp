// The cpuid instruction of x86.
#include <cpuid.h>

#include <cstring>

#include "probe/posix/cpuid.hpp"

namespace loopscope {

namespace {

std::string text_of(unsigned a, unsigned b, unsigned c) {
  char text[12];
  std::memcpy(text, &a, 4);
  std::memcpy(text + 4, &b, 4);
  std::memcpy(text + 8, &c, 4);
  return {text, sizeof text};
}

}  // namespace

std::string cpu_vendor() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(0, &a, &b, &c, &d) == 0) return {};
  return text_of(b, d, c);
}

std::string cpu_hypervisor() {
  constexpr unsigned kPresent = 1U << 31;
  constexpr unsigned kLeaf = 0x40000000;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kPresent) == 0) return {};
  __cpuid(kLeaf, a, b, c, d);
  return text_of(b, c, d);
}

}  // namespace loopscope
