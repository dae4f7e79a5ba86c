// Poll requests by NtDeviceIoControlFile.
#include "loops/os/windows/afd.hpp"

namespace loopscope::os::afd {
namespace {

constexpr ULONG kPollCode = 0x00012024;  // IOCTL_AFD_POLL

}  // namespace

// Any name below \Device\Afd will do: the driver makes a fresh object for each opening.
Result<UniqueFd> open() {
  static wchar_t name[] = L"\\Device\\Afd\\Loopscope";
  UNICODE_STRING path{};
  path.Length = sizeof name - sizeof(wchar_t);
  path.MaximumLength = sizeof name;
  path.Buffer = name;
  OBJECT_ATTRIBUTES attributes{};
  attributes.Length = sizeof attributes;
  attributes.ObjectName = &path;
  IO_STATUS_BLOCK status{};
  HANDLE driver = nullptr;
  const NTSTATUS opened =
      ::NtCreateFile(&driver, SYNCHRONIZE, &attributes, &status, nullptr, 0,
                     FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_OPEN, 0, nullptr, 0);
  if (opened < 0) {
    return windows_error_of(::RtlNtStatusToDosError(opened), "NtCreateFile", "\\Device\\Afd");
  }
  return UniqueFd(native_of(driver));
}

Result<NativeSocket> base_of(NativeSocket socket) {
  SOCKET base = INVALID_SOCKET;
  DWORD size = 0;
  if (::WSAIoctl(static_cast<SOCKET>(socket), SIO_BASE_HANDLE, nullptr, 0, &base, sizeof base,
                 &size, nullptr, nullptr) != 0) {
    return windows_error("WSAIoctl(SIO_BASE_HANDLE)");
  }
  return NativeSocket{base};
}

// An OVERLAPPED begins as an IO_STATUS_BLOCK does: DeviceIoControl itself hands it on as one.
NTSTATUS poll(HANDLE driver, PollInfo& info, OVERLAPPED& request) {
  request.Internal = static_cast<ULONG_PTR>(kPending);
  return ::NtDeviceIoControlFile(driver, nullptr, nullptr, &request,
                                 reinterpret_cast<IO_STATUS_BLOCK*>(&request), kPollCode, &info,
                                 sizeof info, &info, sizeof info);
}

void cancel(HANDLE driver, OVERLAPPED& request) {
  if (request.Internal != static_cast<ULONG_PTR>(kPending)) return;
  (void)::CancelIoEx(driver, &request);
}

}  // namespace loopscope::os::afd
