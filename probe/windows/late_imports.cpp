// Functions of system libraries that hardly any run calls, bound when they are called first.
//
// Each cell is a process of its own, and loading these libraries with their own imports takes
// longer than most cells do. With Visual C++ the linker does the same (/DELAYLOAD,
// probe/CMakeLists.txt); GNU's delayed imports end the program. A compiler calls an imported
// function through a pointer of the name __imp_FUNCTION. Where the program defines it, as here,
// nothing is imported for it.
#include <winsock2.h>
// Windows' headers want this one first.
#include <dbghelp.h>
#include <fmt/format.h>
#include <shlobj.h>
#include <timeapi.h>
#include <userenv.h>
#include <wincrypt.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace {

struct Import {
  const char *library, *function;
};

/// Ends the program where the system has none, as the loader does before it begins.
FARPROC find(const Import& import) {
  const HMODULE library = ::LoadLibraryExA(import.library, nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
  const FARPROC found = library == nullptr ? nullptr : ::GetProcAddress(library, import.function);
  if (found != nullptr) return found;
  fmt::print(stderr, "loopscope: {} has no {}\n", import.library, import.function);
  std::abort();
}

template <class Function>
struct Late;
template <class R, class... A>
struct Late<R (*)(A...)> {
  using Function = R (*)(A...);
  /// What the pointer is until the first call, which replaces it.
  template <const Import& kImport, Function& kPointer>
  static R call(A... arguments) {
    const auto function = reinterpret_cast<Function>(reinterpret_cast<void*>(find(kImport)));
    std::atomic_ref<Function>(kPointer).store(function, std::memory_order_relaxed);
    return function(arguments...);
  }
};

}  // namespace

#define LOOPSCOPE_LATE(library, name)        \
  namespace {                                \
  constexpr Import k##name{library, #name};  \
  }                                          \
  extern "C" decltype(&::name) __imp_##name; \
  decltype(&::name) __imp_##name = Late<decltype(&::name)>::call<k##name, __imp_##name>;

// A function whose header does not say that it is imported is called by its own name.
#define LOOPSCOPE_LATE_BY_NAME(library, result, name, parameters, arguments)           \
  namespace {                                                                          \
  constexpr Import k##name{library, #name};                                            \
  decltype(&::name) late_##name = Late<decltype(&::name)>::call<k##name, late_##name>; \
  }                                                                                    \
  extern "C" result WINAPI name parameters { return late_##name arguments; }

// libuv's
LOOPSCOPE_LATE("user32.dll", GetSystemMetrics)
LOOPSCOPE_LATE("user32.dll", GetMessageA)
LOOPSCOPE_LATE("user32.dll", TranslateMessage)
LOOPSCOPE_LATE("user32.dll", DispatchMessageA)
LOOPSCOPE_LATE("user32.dll", MapVirtualKeyW)
LOOPSCOPE_LATE("ole32.dll", CoTaskMemFree)
LOOPSCOPE_LATE("userenv.dll", GetUserProfileDirectoryW)
LOOPSCOPE_LATE("dbghelp.dll", SymGetOptions)
LOOPSCOPE_LATE("dbghelp.dll", SymSetOptions)
LOOPSCOPE_LATE_BY_NAME("shell32.dll", HRESULT, SHGetKnownFolderPath,
                       (REFKNOWNFOLDERID id, DWORD flags, HANDLE token, PWSTR* path),
                       (id, flags, token, path))
LOOPSCOPE_LATE_BY_NAME("dbghelp.dll", BOOL, MiniDumpWriteDump,
                       (HANDLE process, DWORD id, HANDLE file, MINIDUMP_TYPE type,
                        PMINIDUMP_EXCEPTION_INFORMATION exception,
                        PMINIDUMP_USER_STREAM_INFORMATION streams,
                        PMINIDUMP_CALLBACK_INFORMATION callback),
                       (process, id, file, type, exception, streams, callback))
// OpenSSL's
LOOPSCOPE_LATE("user32.dll", GetProcessWindowStation)
LOOPSCOPE_LATE("user32.dll", GetUserObjectInformationW)
LOOPSCOPE_LATE("user32.dll", MessageBoxW)
LOOPSCOPE_LATE("crypt32.dll", CertCloseStore)
LOOPSCOPE_LATE("crypt32.dll", CertFindCertificateInStore)
LOOPSCOPE_LATE("crypt32.dll", CertFreeCertificateContext)
LOOPSCOPE_LATE("crypt32.dll", CertOpenSystemStoreW)
// the probe's
LOOPSCOPE_LATE("winmm.dll", timeBeginPeriod)
LOOPSCOPE_LATE("winmm.dll", timeEndPeriod)
