// Winsock and Win32 headers in the order that they need, and their errors as Errors.
#pragma once

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <winsock2.h>
#include <ws2tcpip.h>
// After winsock2.h, which it needs.
#include <mswsock.h>
#include <windows.h>

#include <string>
#include <string_view>

#include "loops/base/error.hpp"
#include "loops/os/native.hpp"

namespace loopscope::os {

/// The errno value of an error of Win32 or Winsock where both mean the same, so that a report reads
/// alike on every system; else the code itself, in system_category().
std::error_code code_of_windows(unsigned long number);
Error windows_error_of(unsigned long number, std::string_view op, std::string detail = {});
/// For the calling thread's last error. Call it on the line after the failed call. Winsock's
/// errors are kept in the same place.
Error windows_error(std::string_view op, std::string detail = {});

inline HANDLE handle_of(NativeSocket fd) { return reinterpret_cast<HANDLE>(fd); }
inline NativeSocket native_of(HANDLE handle) { return reinterpret_cast<NativeSocket>(handle); }
/// What the system calls an invalid handle, both ways, as kInvalid.
inline NativeSocket checked_native(HANDLE handle) {
  return handle == nullptr ? kInvalid : native_of(handle);
}

/// Is it a socket, and not a pipe, file or console?
bool is_socket(NativeSocket fd);

/// Was it opened for calls that return when they are done, and for no others? Such a handle takes
/// an overlapped call too, and blocks in it. False where the system does not say.
bool is_synchronous(NativeSocket fd);
/// The error of what would have to block its caller.
Error refuse_synchronous(std::string_view op);

/// UTF-8 to what the wide calls take, and back. What is no UTF-8 becomes U+FFFD.
std::wstring wide(std::string_view text);
std::string narrow(std::wstring_view text);

}  // namespace loopscope::os
