// Names in a static program: from the hosts file and DNS, whatever nsswitch.conf wants.
//
// The other services are shared libraries, which fit one glibc only. Loaded into a program that
// was linked with another, they crash it.
#include <initializer_list>

#if __has_include(<nss.h>)
#include <nss.h>
#endif

namespace loopscope {
namespace {

[[gnu::constructor]] void stay_inside_libc() {
#ifdef __GLIBC__
  (void)::__nss_configure_lookup("hosts", "files dns");
  for (const char* table : {"services", "protocols", "passwd", "group"}) {
    (void)::__nss_configure_lookup(table, "files");  // Fails only for a table that it lacks.
  }
#endif
}

}  // namespace
}  // namespace loopscope
