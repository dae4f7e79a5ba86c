// The capabilities that no loop over Winsock's waits has, with the reason.
#include "loops/selector/winsock.hpp"

#include <vector>

namespace loopscope {

std::span<const Absence> winsock_absences() {
  static const std::vector<Absence> all = [] {
    std::vector<Absence> rows(kTlsAbsences.begin(), kTlsAbsences.end());
    rows.push_back({Cap::pipes, "select and WSAPoll take sockets only"});
    rows.push_back({Cap::subprocess, "the pipes of a child are no sockets"});
    rows.push_back({Cap::unix_sockets, "this build has no Unix sockets for Windows"});
    return rows;
  }();
  return all;
}

}  // namespace loopscope
