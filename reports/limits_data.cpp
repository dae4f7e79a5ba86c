// The documented limits as data: claims of asyncio's platform page and of its neighbours.
#include "reports/limits.hpp"

namespace loopscope::reports {
namespace {

constexpr auto kShown = FactRule::shown;
constexpr auto kTable = FactRule::table_row;
constexpr auto kRefuses = PassMeans::refuses;
constexpr auto kShows = PassMeans::shows;

constexpr std::string_view kAll = "docs.python.org/3/library/asyncio-platforms.html#all-platforms";
constexpr std::string_view kWindows = "docs.python.org/3/library/asyncio-platforms.html#windows";
constexpr std::string_view kWindowsChildren =
    "docs.python.org/3/library/asyncio-platforms.html#subprocess-support-on-windows";
constexpr std::string_view kMac = "docs.python.org/3/library/asyncio-platforms.html#macos";
constexpr std::string_view kOldPage =
    "docs.python.org/3.4/library/asyncio-eventloops.html#platform-support";
constexpr std::string_view kOldMac = "docs.python.org/3.6/library/asyncio-eventloops.html#mac-os-x";

constexpr LimitFact kFileFacts[] = {{"poll.kind_matrix", kTable, "regular"},
                                    {"fs.async.readiness_of_regular", kShown},
                                    {"uring.file"},
                                    {"aio.linux_native"},
                                    {"aio.posix"},
                                    {"iocp.file"}};
constexpr LimitScenario kFileScenarios[] = {{"rw.regular_file", kShows},
                                            {"rw.devnull_devzero", kShows}};
constexpr LimitScenario kPipeFileScenarios[] = {{"pipe.regular_file_refused", kRefuses},
                                                {"pipe.stdin_is_file_or_null", kShows}};
constexpr LimitFact kUnixWin[] = {{"unix.win.af_unix"}};
constexpr LimitScenario kUnixWinScenarios[] = {{"unix.stream.echo"}};
constexpr LimitFact kCtrl[] = {{"console.win.ctrl_handler"}};
constexpr LimitScenario kCtrlScenarios[] = {{"sig.interrupt_ctrl_c"}};
constexpr LimitFact kChildWait[] = {{"proc.win.wait_via_iocp"}};
constexpr LimitScenario kChildScenarios[] = {{"proc.exit_code"}, {"proc.foreign_children"}};
constexpr LimitFact kSelectMax[] = {{"select.win.max_sockets", kShown}};
constexpr LimitScenario kSelectMaxScenarios[] = {{"limit.select.count_512"},
                                                 {"limit.watched_2000"}};
constexpr LimitFact kWinPipe[] = {{"pipe.win.overlapped_anonymous"}};
constexpr LimitScenario kObjectScenarios[] = {{"rw.object_types"}};
constexpr LimitScenario kWinPipeScenarios[] = {{"pipe.read.basic_eof"},
                                               {"pipe.windows.broken_is_eof"}};
constexpr LimitScenario kProcScenarios[] = {{"proc.exit_code"}, {"proc.output_before_exit"}};
// TLS goes over whatever moves bytes, and datagrams over their own call.
constexpr LimitFact kStreamCalls[] = {{"iocp.connectex"}, {"iocp.acceptex"}};
constexpr LimitFact kDatagramCalls[] = {{"iocp.wsarecvmsg"}};
constexpr LimitScenario kTlsScenarios[] = {{"tls.echo_large"}, {"tls.start_tls.client"}};
constexpr LimitScenario kUdpScenarios[] = {{"udp.roundtrip.v4_v6"}, {"udp.refused_survives"}};
constexpr LimitFact kAfd[] = {{"afd.poll"}};
constexpr LimitScenario kProactorReaders[] = {{"rw.level_triggered"}, {"rw.writer.immediate"}};
constexpr LimitScenario kOverlapped[] = {{"pipe.read.basic_eof", kShows}};
constexpr LimitFact kWinClock[] = {{"clock.monotonic.resolution", kShown},
                                   {"timer.win.tick", kShown},
                                   {"timer.win.timeBeginPeriod_effect", kShown},
                                   {"iocp.timer_latency", kShown},
                                   {"timer.win.high_resolution_waitable", kShown}};
constexpr LimitScenario kClockScenarios[] = {{"timer.never_early"}, {"timer.resolution.reported"}};
constexpr LimitFact kPty[] = {{"tty.openpty"}, {"poll.kind_matrix", kTable, "pty"}};
constexpr LimitScenario kPtyScenarios[] = {
    {"tty.pty.data_before_eof"}, {"tty.pty.bidirectional"}, {"tty.pty.write"}};
constexpr LimitFact kMacDevices[] = {{"kqueue.kinds", kTable, "tty"}, {"poll.mac.tty_works"}};
constexpr LimitScenario kMacScenarios[] = {{"tty.mac.kqueue_unsupported"}, {"tty.mac.poll_broken"}};
constexpr LimitFact kMacFull[] = {{"kqueue.kinds", kTable, "fifo"}};
constexpr LimitScenario kMacFullScenarios[] = {
    {"pipe.fifo.mac_no_eof"}, {"limit.select.mac_1024"}, {"tty.pty.data_before_eof"}};

constexpr LimitFact kLongWaits[] = {{"wait.max_timeout.select", kShown},
                                    {"wait.max_timeout.poll", kShown},
                                    {"wait.max_timeout.epoll", kShown}};
constexpr LimitScenario kHuge[] = {{"timer.huge"}};
constexpr LimitScenario kEqual[] = {{"timer.order.equal_deadline"}};
constexpr LimitFact kSignalfd[] = {{"signalfd"}};
constexpr LimitScenario kMainThread[] = {{"sig.main_thread_only", kShows}};
constexpr LimitFact kReusePort[] = {{"so.reuseport"}, {"so.reuseport_balances", kShown}};
constexpr LimitScenario kReusePortScenarios[] = {{"srv.reuse_port"}, {"udp.reuse_port"}};
constexpr LimitFact kReuseAddress[] = {{"so.reuseaddr_semantics", kShown}};
constexpr LimitScenario kReuseAddressScenarios[] = {{"udp.reuse_address_removed", kRefuses}};
constexpr LimitScenario kTextScenarios[] = {{"proc.strings_with_nul", kShows}};
constexpr LimitFact kResolver[] = {{"dns.async_api", kShown}, {"dns.resolver_kind", kShown}};
constexpr LimitScenario kDnsScenarios[] = {{"dns.literal_fast_path"}, {"dns.saturation"}};
constexpr LimitFact kSendfile[] = {{"sendfile.signature", kShown}, {"splice"}};
constexpr LimitScenario kSendfileScenarios[] = {{"sendfile.whole_offset_count"},
                                                {"sendfile.bad_sources", kRefuses}};
constexpr LimitScenario kNonblocking[] = {{"sock.nonblocking_required", kRefuses}};
constexpr LimitFact kPidfd[] = {{"pidfd.open"}, {"pidfd.poll"}, {"pidfd.waitid"}};
constexpr LimitScenario kThreadChildren[] = {{"proc.non_main_thread"}};
constexpr LimitScenario kStartTls[] = {{"tls.start_tls.buffered"}, {"tls.start_tls.race"}};
constexpr LimitScenario kBlockingFlag[] = {{"pipe.blocking_flag", kShows}};

constexpr Limit kLimits[] = {
    {"C1", "add_reader() and add_writer() cannot watch files.", "", "3.7 to 3.15", kAll, kFileFacts,
     kFileScenarios,
     "Not lifted. On epoll asyncio refuses a regular file with PermissionError; on poll and select "
     "it accepts the file and calls back without end, so the sentence describes only epoll."},
    {"C2", "connect_read_pipe() and connect_write_pipe() cannot take a regular file.", "",
     "3.13 to 3.15 (documented in 2026; so since 3.4)", kAll, kFileFacts, kPipeFileScenarios,
     "Not lifted; uvloop accepts regular files."},
    {"C3", "create_unix_connection() and create_unix_server() do not exist on Windows.", "Windows",
     "3.4 to 3.15", kWindows, kUnixWin, kUnixWinScenarios,
     "Not lifted (bpo-33408). Windows has had AF_UNIX stream sockets since version 1803."},
    {"C4", "add_signal_handler() and remove_signal_handler() do not exist on Windows.", "Windows",
     "3.4 to 3.15", kWindows, kCtrl, kCtrlScenarios,
     "Not lifted; only waking a parked loop on Ctrl-C was mended in 3.8 (bpo-23057)."},
    {"C5", "set_child_watcher() does not exist on Windows; the proactor loop watches children.",
     "Windows", "3.4 to 3.13", kWindows, kChildWait, kChildScenarios,
     "Moot since 3.14, which removed child watchers."},
    {"C6", "SelectorEventLoop on Windows takes sockets only, and at most 512 of them.", "Windows",
     "3.4 to 3.15", kWindows, kSelectMax, kSelectMaxScenarios,
     "Not lifted. 512 is a constant of CPython's build: the size of an array, not a limit of the "
     "system.",
     "selector"},
    {"C7", "SelectorEventLoop on Windows: add_reader() and add_writer() take sockets, not pipes.",
     "Windows", "3.4 to 3.15", kWindows, kWinPipe, kObjectScenarios, "Not lifted.", "selector"},
    {"C8", "SelectorEventLoop on Windows has no pipes.", "Windows", "3.4 to 3.15", kWindows,
     kWinPipe, kWinPipeScenarios, "Not lifted.", "selector"},
    {"C9", "SelectorEventLoop on Windows has no subprocesses.", "Windows", "3.4 to 3.15", kWindows,
     kChildWait, kProcScenarios,
     "Not lifted; since 3.8 the default loop is the proactor, which has them.", "selector"},
    {"C10", "ProactorEventLoop has no SSL.", "Windows", "3.4", kOldPage, kStreamCalls,
     kTlsScenarios, "Lifted in 3.5.", "proactor"},
    {"C11", "ProactorEventLoop has no create_datagram_endpoint().", "Windows", "3.4 to 3.7",
     kWindows, kDatagramCalls, kUdpScenarios,
     "Lifted in 3.8 (bpo-29883), for IPv6 in 3.8.3 (bpo-39148); errors after an unreachable port "
     "were mended later (gh-91227, gh-127057).",
     "proactor"},
    {"C12", "ProactorEventLoop has no add_reader() and add_writer().", "Windows", "3.4 to 3.15",
     kWindows, kAfd, kProactorReaders,
     "Not lifted. libuv and others poll sockets through AFD, so the limit is asyncio's own.",
     "proactor"},
    {"C13", "ProactorEventLoop connects only pipe handles that were opened overlapped.", "Windows",
     "3.13 to 3.15 (documented in 2026; so since 3.4)", kWindows, kWinPipe, kOverlapped,
     "Not lifted (bpo-26832, gh-71019).", "proactor"},
    {"C14", "The monotonic clock of Windows usually has a resolution of 15.6 ms, at best 0.5 ms.",
     "Windows", "3.4 to 3.15", kWindows, kWinClock, kClockScenarios,
     "The sentence mixes the clock with the waits: newer CPython reads a finer clock, the waits "
     "still tick."},
    {"C15", "On Windows only ProactorEventLoop has subprocesses.", "Windows", "3.7 to 3.15",
     kWindowsChildren, kChildWait, kProcScenarios,
     "The proactor became the default in 3.8 (bpo-34687)."},
    {"C16", "Character devices such as terminals work on macOS from 10.9 on, not on 10.5 or older.",
     "macOS", "3.4 to 3.6", kOldMac, kPty, kPtyScenarios, "The sentence was dropped in 3.7."},
    {"C17", "On macOS 10.6 to 10.8 kqueue does not support character devices.", "macOS",
     "3.4 to 3.15", kMac, kMacDevices, kMacScenarios,
     "Still claimed; libuv still carries a fallback for such devices."},
    {"C18", "Current macOS versions are fully supported.", "macOS", "3.7 to 3.15", kMac, kMacFull,
     kMacFullScenarios, "Still claimed."},
    {"C19", "A delay cannot exceed one day.", "", "up to 3.7",
     "docs.python.org/3.7/library/asyncio-eventloop.html#asyncio.loop.call_later", kLongWaits,
     kHuge, "Lifted in 3.8 (bpo-34263): the loop bounds its own waits instead."},
    {"C20",
     "Callbacks with equal deadlines run in an undefined order.",
     "",
     "3.4 to 3.15",
     "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.call_later",
     {},
     kEqual,
     "Still undefined."},
    {"C21", "add_signal_handler() works in the main thread only.", "Unix", "3.4 to 3.15",
     "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.add_signal_handler", kSignalfd,
     kMainThread, "Not lifted."},
    {"C22", "reuse_port is not available on Windows and on some Unix systems.", "", "3.4.4 to 3.15",
     "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_server", kReusePort,
     kReusePortScenarios, "Still so."},
    {"C23", "create_datagram_endpoint() no longer takes reuse_address, for security.", "",
     "3.8.1 to 3.15 (removed in 3.11)",
     "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_datagram_endpoint",
     kReuseAddress, kReuseAddressScenarios, "Intended (bpo-37228, bpo-45129)."},
    {"C24",
     "Streams of a subprocess carry bytes only: no text, no encoding.",
     "",
     "3.4 to 3.15",
     "docs.python.org/3/library/asyncio-subprocess.html",
     {},
     kTextScenarios,
     "Not lifted; a choice of the implementation."},
    {"C25", "getaddrinfo() and getnameinfo() run in the default executor and wait when it is full.",
     "", "noted in recent versions",
     "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.getaddrinfo", kResolver,
     kDnsScenarios, "Not lifted, not even for a literal address that needs no look-up."},
    {"C26", "sendfile() falls back to copying where the system has none; datagrams are refused.",
     "", "3.7 to 3.15", "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sendfile",
     kSendfile, kSendfileScenarios, "Still so."},
    {"C27",
     "The sock_*() methods need a non-blocking socket.",
     "",
     "3.4 to 3.15",
     "docs.python.org/3/library/asyncio-eventloop.html#working-with-socket-objects-directly",
     {},
     kNonblocking,
     "Still so; the proactor checks it late (gh-113892)."},
    {"C28", "A subprocess started from another thread needs a loop that runs in the main thread.",
     "Unix", "up to 3.7",
     "docs.python.org/3/library/asyncio-subprocess.html#subprocess-and-threads", kPidfd,
     kThreadChildren, "Lifted in 3.8 (bpo-35621); pidfd is the default since 3.12."},
    {"C29",
     "start_tls() exists from 3.7 on, and lost data that was already buffered.",
     "",
     "3.7 to 3.15",
     "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.start_tls",
     {},
     kStartTls,
     "The loss was mended in 2026 (gh-142352)."},
    {"C30",
     "connect_read_pipe() and connect_write_pipe() make the pipe non-blocking.",
     "Unix",
     "3.4 to 3.15",
     "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.connect_read_pipe",
     {},
     kBlockingFlag,
     "Still so; older texts wrongly asked the caller to do it (bpo-21454)."},
};

}  // namespace

std::span<const Limit> limits() { return kLimits; }

}  // namespace loopscope::reports
