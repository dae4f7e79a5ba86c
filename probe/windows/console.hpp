// The console of this process, for facts about consoles.
#pragma once

#include <string>

#include "loops/os/fd.hpp"
#include "loops/os/windows/winsock.hpp"
#include "probe/windows/port.hpp"

namespace loopscope::windows {

/// The console that this process has, else one of its own for as long as this lives.
struct Console {
  os::UniqueFd input{};
  std::string refused{};           // why there is none
  bool own = false, left = false;  // one made here; one shared with the parent, left for it

  explicit Console(bool alone = false) {
    // A console event reaches every process of a console.
    DWORD ids[2] = {};
    const DWORD members = ::GetConsoleProcessList(ids, 2);
    if (alone && members > 1) left = ::FreeConsole() != 0;
    if (members == 0 || (alone && members > 1)) {
      own = ::AllocConsole() != 0;
      if (!own) {
        refused = last_error();
        return;
      }
    }
    HANDLE opened =
        ::CreateFileW(L"CONIN$", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                      nullptr, OPEN_EXISTING, 0, nullptr);
    if (opened == INVALID_HANDLE_VALUE) {
      refused = last_error();
    } else {
      input = os::UniqueFd(os::native_of(opened));
    }
  }
  ~Console() {
    input.reset();
    if (own) (void)::FreeConsole();
    if (left) (void)::AttachConsole(ATTACH_PARENT_PROCESS);
  }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;
};

}  // namespace loopscope::windows
