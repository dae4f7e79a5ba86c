// Measuring the files and pipes of Windows.
#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include "loops/base/clock.hpp"
#include "loops/os/net.hpp"
#include "loops/os/windows/winsock.hpp"
#include "probe/probe_context.hpp"
#include "probe/windows/answers.hpp"
#include "probe/windows/port.hpp"

namespace loopscope::windows {
namespace {

os::UniqueFd open_overlapped(const std::string& path, DWORD access, DWORD flags) {
  HANDLE file = ::CreateFileW(os::wide(path).c_str(), access,
                              FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                              OPEN_EXISTING, FILE_FLAG_OVERLAPPED | flags, nullptr);
  return file == INVALID_HANDLE_VALUE ? os::UniqueFd() : os::UniqueFd(os::native_of(file));
}

FactResult file_reads(ProbeContext& cx) {
  const std::string path = cx.temp_path("read");
  std::array<char, 4096> wanted{};
  wanted.fill('x');
  std::ofstream(std::filesystem::path(os::wide(path)), std::ios::binary)
      .write(wanted.data(), wanted.size());
  const os::UniqueFd file = open_overlapped(path, GENERIC_READ, 0);
  const Port port;
  if (!file || !port.take(file.get())) {
    cx.note("a file on a port", last_error());
    return no(Reason::failed);
  }
  std::array<char, 4096> got{};
  OVERLAPPED request{};
  const BOOL read = ::ReadFile(os::handle_of(file.get()), got.data(),
                               static_cast<DWORD>(got.size()), nullptr, &request);
  cx.note("ReadFile", read != 0 ? "done at once" : last_error());
  DWORD error = 0;
  const OVERLAPPED* done = port.wait(error);
  cx.note("bytes", std::to_string(request.InternalHigh));
  return done == &request && error == NO_ERROR && got == wanted ? yes() : no(Reason::failed);
}

/// A read of an anonymous pipe that has no data blocks its thread where the handle takes no
/// overlapped calls: a thread of its own makes it.
FactResult overlapped_anonymous(ProbeContext& cx) {
  HANDLE reading = nullptr, writing = nullptr;
  if (::CreatePipe(&reading, &writing, nullptr, 0) == 0) return null(Reason::failed, last_error());
  const os::UniqueFd read_end(os::native_of(reading)), write_end(os::native_of(writing));
  const Port port;
  const bool taken = port.take(read_end.get());
  cx.note("CreateIoCompletionPort(CreatePipe)", outcome(taken));
  if (!taken) return no(Reason::invalid);
  char byte = 0;
  OVERLAPPED request{};
  std::atomic<bool> back{false};
  std::thread reader([&] {
    (void)::ReadFile(reading, &byte, 1, nullptr, &request);
    back = true;
  });
  ::Sleep(50);
  const bool pending = back;
  DWORD count = 0;
  (void)::WriteFile(writing, "x", 1, &count, nullptr);
  reader.join();
  DWORD error = 0;
  const bool packet = port.wait(error) == &request;
  cx.note("ReadFile without data", pending ? "pending" : "blocks");
  cx.note("a completion of it", packet ? "1" : "0");
  return pending && packet ? yes() : no(Reason::none, "a port takes it, and its reads block");
}

/// Instances of one name, until one is refused.
std::size_t pipe_instances(ProbeContext& cx, const char* suffix, DWORD most, std::size_t tries) {
  const std::wstring name =
      os::wide("\\\\.\\pipe\\loopscope-fact-" + std::to_string(::GetCurrentProcessId()) + suffix);
  std::vector<os::UniqueFd> made;
  while (made.size() < tries) {
    HANDLE one = ::CreateNamedPipeW(name.c_str(), PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED,
                                    PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT, most, 512, 512,
                                    0, nullptr);
    if (one == INVALID_HANDLE_VALUE) {
      cx.note("CreateNamedPipe, instance " + std::to_string(made.size() + 1) + " of " +
                  std::to_string(most),
              last_error());
      break;
    }
    made.emplace_back(os::native_of(one));
  }
  return made.size();
}

FactResult named_instances(ProbeContext& cx) {
  constexpr std::size_t kTries = 300;  // 255 stands for "unlimited", and is no limit
  const std::size_t two = pipe_instances(cx, "-two", 2, 4);
  cx.note("instances of a pipe for two", std::to_string(two));
  const std::size_t all = pipe_instances(cx, "-all", PIPE_UNLIMITED_INSTANCES, kTries);
  return count(static_cast<std::int64_t>(all), all == kTries ? "as many as were tried" : "");
}

/// Sends of one file to readers that do not read: each that has begun has put something into its
/// connection, and none of them can end.
FactResult transmit_at_once(ProbeContext& cx) {
  constexpr int kSends = 4;
  constexpr std::size_t kSize = std::size_t{4} << 20;
  const std::string path = cx.temp_path("send");
  std::ofstream(std::filesystem::path(os::wide(path)), std::ios::binary) << std::string(kSize, 'x');
  struct Send {
    os::UniqueFd file, from, to;
    OVERLAPPED request{};
  };
  const Port port;
  std::vector<std::unique_ptr<Send>> sends;
  for (int i = 0; i < kSends; ++i) {
    auto pair = os::open_socketpair(SocketType::stream);
    if (!pair.ok()) return null(Reason::failed, to_string(pair.error()));
    auto one = std::make_unique<Send>();
    one->file = open_overlapped(path, GENERIC_READ, FILE_FLAG_SEQUENTIAL_SCAN);
    one->from = std::move(pair->first);
    one->to = std::move(pair->second);
    if (!one->file || !port.take(one->from.get())) return null(Reason::failed, last_error());
    const BOOL sent =
        ::TransmitFile(static_cast<SOCKET>(one->from.get()), os::handle_of(one->file.get()), 0, 0,
                       &one->request, nullptr, 0);
    const bool begun = sent != 0 || ::GetLastError() == ERROR_IO_PENDING;
    cx.note("TransmitFile", sent != 0 ? "done at once" : last_error());
    if (!begun) return no(reason_of_errno(os::code_of_windows(::GetLastError()).value()));
    sends.push_back(std::move(one));
  }
  ::Sleep(100);
  std::int64_t begun = 0;
  for (const auto& one : sends) {
    u_long waiting = 0;
    (void)::ioctlsocket(static_cast<SOCKET>(one->to.get()), FIONREAD, &waiting);
    cx.note("bytes that arrived", std::to_string(waiting));
    begun += waiting > 0 ? 1 : 0;
    (void)::CancelIoEx(os::handle_of(one->from.get()), &one->request);
  }
  DWORD error = 0;
  for (int i = 0; i < kSends; ++i) (void)port.wait(error, 100);
  return count(begun, begun == kSends ? "as many as were tried" : "");
}

FactResult directory_changes(ProbeContext& cx) {
  const os::UniqueFd folder =
      open_overlapped(cx.temp_dir(), FILE_LIST_DIRECTORY, FILE_FLAG_BACKUP_SEMANTICS);
  const Port port;
  if (!folder || !port.take(folder.get())) {
    cx.note("a folder on a port", last_error());
    return no(Reason::failed);
  }
  alignas(DWORD) std::array<std::byte, 4096> memory{};
  OVERLAPPED request{};
  const bool asked =
      ::ReadDirectoryChangesW(os::handle_of(folder.get()), memory.data(),
                              static_cast<DWORD>(memory.size()), FALSE,
                              FILE_NOTIFY_CHANGE_FILE_NAME, nullptr, &request, nullptr) != 0;
  cx.note("ReadDirectoryChangesW", outcome(asked));
  if (!asked) return no(Reason::not_supported);
  std::ofstream(std::filesystem::path(os::wide(cx.temp_path("new")))) << 'x';
  DWORD error = 0;
  if (port.wait(error) != &request) {
    (void)::CancelIoEx(os::handle_of(folder.get()), &request);
    (void)port.wait(error);
    return no(Reason::timeout, "no completion after a file was made");
  }
  const auto* change = reinterpret_cast<const FILE_NOTIFY_INFORMATION*>(memory.data());
  const std::wstring name(change->FileName, change->FileNameLength / sizeof(wchar_t));
  cx.note("reported", os::narrow(name));
  return name == L"new" && change->Action == FILE_ACTION_ADDED ? yes() : no(Reason::failed);
}

constexpr PlatformAnswer kFileAnswers[] = {
    {"iocp.file", file_reads},
    {"pipe.win.overlapped_anonymous", overlapped_anonymous},
    {"pipe.win.named_instances_max", named_instances},
    {"transmitfile.concurrency", transmit_at_once},
    {"ReadDirectoryChanges", directory_changes},
};

}  // namespace

std::span<const PlatformAnswer> file_answers() { return kFileAnswers; }

}  // namespace loopscope::windows
