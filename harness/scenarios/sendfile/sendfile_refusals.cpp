// sendfile and sock_sendfile: files, sockets and transports that cannot be used, each by its name.
#include <cerrno>
#include <limits>

#include "harness/scenario.hpp"
#include "harness/scenarios/connections.hpp"
#include "harness/scenarios/sendfile/numbered_file.hpp"

namespace loopscope::scenarios::sendfile_refusals {
namespace {

/// A refusal names the call that failed and its code, and the number of descriptors stays.
void named(Context& cx, const Result<std::uint64_t>& refused, std::string_view what) {
  cx.refused(refused, what);
  cx.is_true(!refused.error().op.empty(), std::string(what) + ": the failing call is named");
  cx.is_true(error_name(refused.error().code).rfind("errno", 0) != 0,
             std::string(what) + ": the error has a name");
}

void bad_sources(Context& cx) {
  const NumberedFile good(cx, 5'000);
  StreamPair pair = cx.stream_pair();
  const os::Pipe pipe = cx.pipe();
  const os::UniqueFd directory = tools::open_directory(cx.temp_dir());
  const os::UniqueFd write_only = tools::open_path(cx.temp_path("numbered"), tools::Access::write);
  const os::NativeSocket closed = os::duplicate(good.fd.get()).value().get();
  const std::vector<os::NativeSocket> before = cx.open_descriptors();
  const auto attempt = [&](os::NativeSocket file, std::uint64_t offset,
                           std::optional<std::uint64_t> count) {
    FileRange range{.file = file, .offset = offset, .count = count};
    return await_outcome(cx, cx.loop().sock_sendfile(pair.subject, range), "a refusal comes");
  };
  constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();
  named(cx, attempt(os::kInvalid, 0, {}), "no file");
  named(cx, attempt(closed, 0, {}), "a closed file");
  named(cx, attempt(directory.get(), 0, {}), "a directory");
  named(cx, attempt(pipe.read.get(), 0, {}), "a pipe");
  named(cx, attempt(write_only.get(), 0, {}), "a file that cannot be read");
  named(cx, attempt(good.fd.get(), kHuge, {}), "an offset that is negative as the system sees it");
  named(cx, attempt(good.fd.get(), 1, kHuge), "a count that wraps around");
  cx.equal(cx.open_descriptors(), before, "the open descriptors");

  cx.equal(attempt(good.fd.get(), 0, {}).value(), 5'000u, "then a good file is sent");
  same_bytes(cx, text(pair.peer.recv_exactly(5'000)), good.content, "nothing was sent before it");
}

void bad_sockets(Context& cx) {
  const NumberedFile file(cx, 5'000);
  os::Pipe pipe = cx.pipe();
  Socket datagram = cx.datagram_socket(), closed, not_a_socket(std::move(pipe.write));
  const auto attempt = [&](Socket& socket) {
    return await_outcome(cx, cx.loop().sock_sendfile(socket, file.range()), "a refusal comes");
  };
  named(cx, attempt(datagram), "a datagram socket");
  named(cx, attempt(closed), "a closed socket");
  cx.refused(attempt(not_a_socket), system_code(ENOTSOCK), "a pipe in place of a socket");
  Socket unconnected = Socket::make(AddressFamily::ipv4, SocketType::stream).value();
  named(cx, attempt(unconnected), "a socket that is not connected");
  StreamPair pair = cx.stream_pair();
  cx.equal(attempt(pair.subject).value(), 5'000u, "then a good socket works");
}

void bad_transports(Context& cx) {
  const NumberedFile file(cx, 5'000);
  const auto attempt = [&](const std::shared_ptr<Transport>& transport) {
    return await_outcome(cx, cx.loop().sendfile(transport, file.range()), "a refusal comes");
  };
  named(cx, attempt(nullptr), "no transport");
  os::Pipe pipe = cx.pipe();
  const WatchedStream reader = connect_reader(cx, std::move(pipe.read));
  named(cx, attempt(reader.transport), "a transport that only reads");
  Connection ended = connect(cx), closing = connect(cx);
  cx.ok(ended->write_eof(), "write_eof");
  named(cx, attempt(ended.transport), "a transport whose half was ended");
  closing->close();
  named(cx, attempt(closing.transport), "a transport that is closing");
  until_lost(cx, *closing.seen);
  cx.equal(closing.peer.recv_until_eof().size() + ended.peer.recv_until_eof().size(), 0u,
           "bytes sent by refused calls");
  Connection good = connect(cx);
  cx.equal(attempt(good.transport).value(), 5'000u, "then a good transport works");
  turn(cx);
  cx.is_true(!ended->is_closing(), "a refusal does not close the connection");
}

void one_at_a_time(Context& cx) {
  const NumberedFile file(cx, kMoreThanFits);
  Connection open = connect(cx);
  const auto first = cx.loop().sendfile(open.transport, file.range());
  const auto second = cx.loop().sendfile(open.transport, file.range());
  cx.refused(await_outcome(cx, second, "a refusal comes"), "a second transfer meanwhile");
  const std::string got = read_exactly(cx, open.peer, kMoreThanFits);
  cx.equal(finished(cx, first).value(), kMoreThanFits, "the first goes on");
  same_bytes(cx, got, file.content, "the first");
}

void without_fallback(Context& cx) {
  const NumberedFile file(cx, 5'000);
  FileRange native_only = file.range();
  native_only.fallback = false;
  StreamPair pair = cx.tcp_pair();
  const auto able = cx.loop().sock_sendfile(pair.subject, native_only);
  cx.equal(finished(cx, able).value(), 5'000u, "bytes sent to a socket that the system can");

  tools::refuse_native_transfer(pair.subject.native());
  const auto unable = cx.loop().sock_sendfile(pair.subject, native_only);
  cx.refused(await_outcome(cx, unable, "a refusal comes"), Errc::not_supported,
             "where the system cannot, and must not be helped");
  const auto helped = cx.loop().sock_sendfile(pair.subject, file.range());
  cx.equal(finished(cx, helped).value(), 5'000u, "bytes sent with the fallback");
  same_bytes(cx, text(pair.peer.recv_exactly(10'000)), file.content + file.content, "both");
}

constexpr CapSet kSock{Cap::sock_sendfile, Cap::native_socket};
constexpr CapSet kTransport{Cap::sendfile, Cap::create_connection, Cap::native_socket};
constexpr std::string_view kSockApi[] = {"sock_sendfile"};
constexpr std::string_view kApi[] = {"sendfile", "connect_accepted_socket"};
constexpr std::string_view kSockDocs =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_sendfile";
constexpr std::string_view kBaseTests =
    "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_base_events.py"
    " BaseLoopSockSendfileTests";
constexpr std::chrono::milliseconds kLimit{6'000};

constexpr Scenario kScenarios[] = {
    {.id = "sendfile.bad_sources",
     .promise = "Files that cannot be sent are refused by name; nothing is sent, nothing leaks.",
     .source = kBaseTests,
     .needs = kSock,
     .body = bad_sources,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kSockApi,
     .limit = kLimit},
    {.id = "sendfile.bad_sockets",
     .promise = "Datagram sockets, closed ones and no sockets at all are refused by name.",
     .source = kBaseTests,
     .needs = kSock,
     .body = bad_sockets,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kSockApi,
     .limit = kLimit},
    {.id = "sendfile.bad_transports",
     .promise = "A transport that cannot send is refused, and goes on as before.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_sendfile.py"
               " test_sendfile_for_closing_transp",
     .needs = kTransport | CapSet{Cap::pipes},
     .body = bad_transports,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "sendfile.one_at_a_time",
     .promise = "A second transfer on the same transport is refused while the first goes on.",
     .source = "github.com/python/cpython/blob/main/Lib/asyncio/selector_events.py,"
               " _make_empty_waiter",
     .needs = kTransport,
     .body = one_at_a_time,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kApi,
     .limit = kLimit},
    {.id = "sendfile.without_fallback",
     .promise = "fallback=false refuses where the system cannot transfer, and only there.",
     .source = kSockDocs,
     .needs = kSock,
     .body = without_fallback,
     .severity = Severity::common,
     .api = kSockApi,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A17", "sendfile", kScenarios};
}  // namespace loopscope::scenarios::sendfile_refusals
