// sock_sendfile: which bytes are sent, what the result says, and where the file stands afterwards.
#include <cerrno>

#include "harness/scenario.hpp"
#include "harness/scenarios/sendfile/numbered_file.hpp"

namespace loopscope::scenarios::sendfile_ranges {
namespace {

/// Sends one range to a peer that reads along; the answer, after everything has arrived.
std::uint64_t send(Context& cx, const FileRange& range, std::string& arrived) {
  StreamPair pair = cx.tcp_pair();
  Receiver receiver(cx, pair);
  const auto sending = cx.loop().sock_sendfile(pair.subject, range);
  const Result<std::uint64_t> sent = finished(cx, sending);
  cx.ok(sent, "sock_sendfile");
  arrived = text(receiver.finish());
  return *sent;
}

struct Range {
  std::string_view what;
  std::size_t offset;
  std::optional<std::uint64_t> count;
  std::size_t sent;
};

void ranges(Context& cx) {
  constexpr std::size_t kSize = 300'000;
  constexpr Range kRanges[] = {
      {"the whole file", 0, {}, kSize},
      {"from an offset to the end", 100'001, {}, kSize - 100'001},
      {"offset and count", 7, 70'001, 70'001},
      {"a single byte", kSize - 1, 1, 1},
      {"a count beyond the end", kSize - 1'000, 5'000, 1'000},
      {"an offset at the end", kSize, {}, 0},
      {"an offset beyond the end", kSize + 1'000, 10, 0},
  };
  const NumberedFile file(cx, kSize);
  for (const Range& range : kRanges) {
    std::string arrived;
    cx.equal(send(cx, file.range(range.offset, range.count), arrived), range.sent, range.what);
    same_bytes(cx, arrived, file.part(range.offset, range.sent), range.what);
  }
  const NumberedFile empty(cx, 0, "empty");
  std::string arrived;
  cx.equal(send(cx, empty.range(), arrived), 0u, "an empty file");
  cx.equal(arrived, "", "nothing arrives of it");
}

void position_follows(Context& cx) {
  const NumberedFile file(cx, kMoreThanFits);
  std::string arrived;
  send(cx, file.range(1'000, 5'000), arrived);
  cx.equal(file.position(), 6'000u, "position after offset and count");
  send(cx, file.range(kMoreThanFits - 10, 50), arrived);
  cx.equal(file.position(), kMoreThanFits, "position after a count beyond the end");

  StreamPair cancelled = cx.stream_pair();
  auto sending = cx.loop().sock_sendfile(cancelled.subject, file.range(77));
  until_stuck(cx, file);
  cx.is_true(sending.cancel(), "the operation can be cancelled");
  const std::uint64_t stood = file.position();
  cancelled.subject.close();
  const std::string got = text(cancelled.peer.recv_until_eof());
  cx.equal(stood, 77 + got.size(), "position after cancelling: offset plus what was sent");

  StreamPair broken = cx.stream_pair();
  auto failing = cx.loop().sock_sendfile(broken.subject, file.range(77));
  until_stuck(cx, file);
  const std::uint64_t sent = file.position();
  broken.peer.close();
  cx.refused(finished(cx, failing), "the peer has gone");
  cx.equal(file.position(), sent, "position after an error");
}

void beyond_two_gib(Context& cx) {
  constexpr std::uint64_t kSize = (std::uint64_t{2} << 30) + 65'536;  // above 2^31 and 0x7ffff000
  // Where files are in memory, those of some kernels have a page for each hole that was read.
  if (tools::available_memory() < kSize * 3 / 2) cx.skip("needs 3 GiB of free memory");
  const os::UniqueFd file = tools::sparse_file(kSize);
  StreamPair pair = cx.tcp_pair();
  std::uint64_t arrived = 0;
  cx.thread([&] { arrived = tools::discard_until_end(pair.peer.native()); });
  FileRange range;
  range.file = file.get();
  auto sending = cx.loop().sock_sendfile(pair.subject, range);
  const Result<std::uint64_t> sent = finished(cx, sending);
  pair.subject.close();
  cx.join_threads();
  cx.ok(sent, "sock_sendfile");
  cx.equal(*sent, kSize, "bytes that the result counts");
  cx.equal(arrived, kSize, "bytes that arrive");
  cx.equal(tools::position(file.get()), kSize, "position of the file");
}

void slow_peer(Context& cx) {
  const NumberedFile file(cx, kMoreThanFits);
  StreamPair slow = narrow_pair(cx), other = cx.stream_pair();
  const auto sending = cx.loop().sock_sendfile(slow.subject, file.range());
  until_stuck(cx, file);
  cx.is_true(!sending.done(), "a peer that does not read makes it wait");
  cx.at_most(waits_while_idle(cx), kFewWaits, "waits meanwhile");

  other.peer.send("ping");
  cx.equal(text(settle(cx, cx.loop().sock_recv(other.subject, 16), "sock_recv on another socket")),
           "ping", "other sockets are served");
  Receiver receiver(cx, slow);
  cx.equal(finished(cx, sending).value(), kMoreThanFits, "bytes sent in the end");
  same_bytes(cx, text(receiver.finish()), file.content, "a slow peer");
}

void shrinking_file(Context& cx) {
  constexpr std::size_t kPipe = 65'536;  // of splice(2), which takes them from the file before
  const NumberedFile file(cx, kMoreThanFits);
  StreamPair pair = narrow_pair(cx);
  const auto sending = cx.loop().sock_sendfile(pair.subject, file.range());
  until_stuck(cx, file);
  const std::uint64_t sent_before = file.position();
  tools::truncate(file.fd.get(), sent_before / 2);
  Receiver receiver(cx, pair);
  const Result<std::uint64_t> sent = finished(cx, sending);
  cx.ok(sent, "a file that became shorter");
  cx.equal(text(receiver.finish()).size(), *sent, "bytes that arrive, and bytes that are counted");
  cx.equal(file.position(), *sent, "the position");
  cx.at_least(*sent, sent_before, "bytes sent: those from before");
  cx.at_most(*sent - sent_before, kPipe, "bytes that were on their way");
}

void one_file_for_two(Context& cx) {
  const NumberedFile file(cx, kMoreThanFits);
  StreamPair first = narrow_pair(cx), second = narrow_pair(cx);
  const auto to_first = cx.loop().sock_sendfile(first.subject, file.range());
  const auto to_second = cx.loop().sock_sendfile(second.subject, file.range(1'000'001));
  std::string got_first, got_second;
  cx.thread([&] { got_first = text(first.peer.recv_until_eof()); });
  cx.thread([&] { got_second = text(second.peer.recv_until_eof()); });
  const Result<std::uint64_t> sent_first = finished(cx, to_first);
  const Result<std::uint64_t> sent_second = finished(cx, to_second);
  first.subject.close();
  second.subject.close();
  cx.join_threads();
  cx.ok(sent_first, "the first transfer");
  cx.ok(sent_second, "the second transfer of the same descriptor");
  same_bytes(cx, got_first, file.content, "the first");
  same_bytes(cx, got_second, file.part(1'000'001), "the second");
}

constexpr CapSet kNeeds{Cap::sock_sendfile, Cap::native_socket};
constexpr CapSet kWithTimer{Cap::sock_sendfile, Cap::native_socket, Cap::sock_stream,
                            Cap::call_later};
constexpr std::string_view kApi[] = {"sock_sendfile"};
constexpr std::string_view kDocs =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sock_sendfile";

constexpr Scenario kScenarios[] = {
    {.id = "sendfile.whole_offset_count",
     .promise = "Exactly the asked-for bytes are sent, fewer where the file ends, and counted.",
     .source = kDocs,
     .needs = kNeeds,
     .body = ranges,
     .api = kApi},
    {.id = "sendfile.file_position",
     .promise = "The file stands at offset plus bytes sent afterwards, also when it was cancelled.",
     .source = kDocs,
     .needs = kNeeds,
     .body = position_follows,
     .severity = Severity::common,
     .api = kApi},
    {.id = "sendfile.over_2gib",
     .promise = "A file of more than 2 GiB is sent whole, and counted right.",
     .source = "man 2 sendfile, NOTES: at most 0x7ffff000 bytes a call;"
               " github.com/python/cpython/issues/82500",
     .needs = kNeeds,
     .body = beyond_two_gib,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kApi,
     .exclusive = Resource::memory,
     .limit = std::chrono::milliseconds(60'000)},
    {.id = "sendfile.slow_peer",
     .promise = "A peer that does not read makes the transfer wait, and nothing else.",
     .source = kDocs,
     .needs = kWithTimer,
     .body = slow_peer,
     .api = kApi},
    {.id = "sendfile.truncated",
     .promise = "When the file becomes shorter meanwhile, the transfer ends with what was sent.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_sendfile.py;"
               " man 2 sendfile, RETURN VALUE",
     .needs = kNeeds,
     .body = shrinking_file,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kApi},
    {.id = "sendfile.shared_file",
     .promise = "Two transfers may send one file descriptor at a time.",
     .source = "man 2 sendfile, DESCRIPTION: with an offset the file's position is not used",
     .needs = kNeeds,
     .body = one_file_for_two,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kApi},
};

}  // namespace

extern const ScenarioFile file{"A17", "sendfile", kScenarios};
}  // namespace loopscope::scenarios::sendfile_ranges
