// TCP transports: what is written is what arrives, in any number and size of pieces.
#include <algorithm>

#include "harness/scenario.hpp"
#include "harness/scenarios/connections.hpp"
#include "harness/scenarios/moments.hpp"

namespace loopscope::scenarios::tcp_writing {
namespace {

/// A connection whose socket takes little at a time, so that most of a write has to wait.
Connection narrow(Context& cx, int send_bytes = 32'768) {
  StreamPair pair = cx.tcp_pair();
  os::set_buffer_sizes(pair.subject.native(), send_bytes, 0).value();
  return connect(cx, std::make_shared<StreamRecorder>(cx), std::move(pair));
}

void bytes_changed_afterwards(Context& cx) {
  Connection c = narrow(cx);
  std::string first(400'000, 'a'), second(400'000, 'b');
  const std::string sent = first + second;
  c->write(view(first));
  const ByteView pieces[] = {view(second)};
  c->writelines(pieces);
  cx.at_least(c->get_write_buffer_size(), 400'000u, "bytes that wait");
  std::fill(first.begin(), first.end(), '!');
  std::fill(second.begin(), second.end(), '!');
  c->close();
  const std::string got = read_to_end(cx, c.peer);
  cx.equal(got.size(), sent.size(), "bytes that arrive");
  const auto changed = static_cast<std::size_t>(std::count(got.begin(), got.end(), '!'));
  cx.equal(changed, 0u, "bytes changed after write() that arrive");
  cx.is_true(got == sent, "the bytes are those of the calls");
}

void empty_writes(Context& cx) {
  Connection c = connect(cx);
  const ByteView nothing[] = {ByteView(), ByteView()};
  const auto write_nothing = [&] {
    c->write({});
    c->writelines(nothing);
    c->writelines({});
  };
  write_nothing();
  cx.equal(c->get_write_buffer_size(), 0u, "bytes buffered");
  cx.at_most(waits_while_idle(cx), kFewWaits, "waits after empty writes");
  cx.equal(tools::bytes_waiting(c.peer.native()), 0u, "bytes at the peer");
  const std::size_t written = write_until_buffered(cx, *c.transport);
  write_nothing();
  c->close();
  cx.equal(read_to_end(cx, c.peer).size(), written, "bytes that arrive");
  until_lost(cx, *c.seen);
  cx.expect_trace({"made", "lost"});
}

void items_wider_than_a_byte(Context& cx) {
  Connection c = narrow(cx);
  std::vector<std::uint32_t> numbers(500'000);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::uint32_t>(i);
  const ByteView raw = std::as_bytes(std::span(numbers));
  write_until_buffered(cx, *c.transport);
  const std::size_t before = c->get_write_buffer_size();
  c->write(raw);
  cx.equal(c->get_write_buffer_size() - before, raw.size(), "bytes that the write added");
  c->close();
  const std::string got = read_to_end(cx, c.peer);
  cx.at_least(got.size(), raw.size(), "bytes that arrive");
  cx.is_true(std::string_view(got).substr(got.size() - raw.size()) == text(raw),
             "they are those of the numbers");
}

void thousands_of_pieces(Context& cx) {
  for (const std::size_t size : {std::size_t{7}, std::size_t{300}}) {  // all taken; most wait
    Connection c = narrow(cx);
    std::vector<std::string> words;
    std::string sent;
    for (std::size_t i = 0; i < 5'000; ++i) {
      words.push_back(i % 5 == 0 ? "" : std::to_string(i) + std::string(size, '.'));
      sent += words.back();
    }
    {
      const std::vector<ByteView> pieces = [&] {
        std::vector<ByteView> all;
        for (const std::string& word : words) all.push_back(view(word));
        return all;
      }();
      c->writelines(pieces);
    }
    words.clear();
    const bool waits = c->get_write_buffer_size() > c->get_write_buffer_limits().high;
    cx.equal(c.seen->pauses > 0, waits, "pause_writing for a buffer above the mark");
    if (size > 100) cx.is_true(waits, "most of 1.2 MB waits");
    c->close();
    const std::string got = read_to_end(cx, c.peer);
    cx.equal(got.size(), sent.size(), "bytes that arrive");
    cx.is_true(got == sent, "in their order");
    c->writelines({});  // Harmless on a connection that has ended.
    until_lost(cx, *c.seen);
  }
}

void beyond_two_gibibytes(Context& cx) {
  constexpr std::size_t kHuge = (std::size_t{1} << 31) + 4'097;
  if (tools::available_memory() < 3 * kHuge) cx.skip("needs 6 GiB of free memory");
  if (kThreadSanitizer) cx.skip("ThreadSanitizer notes who wrote each byte of it");
  const tools::ZeroPages zeros(kHuge);
  Connection c = connect(cx);
  c->write(zeros.bytes());
  const std::size_t waits = c->get_write_buffer_size();
  if (c.seen->lost > 0 || c->is_closing()) {
    until_lost(cx, *c.seen);
    cx.is_true(c.seen->reason.has_value(), "a refusal says why");
    cx.diverges("refused", "2 GiB and a little in one write", to_string(*c.seen->reason));
  }
  cx.at_least(waits, kHuge - 64'000'000u, "bytes that wait");
  const std::string got = read_exactly(cx, c.peer, 20'000'000);
  cx.equal(got.find_first_not_of('\0'), std::string::npos, "place of a wrong byte");
  // A loop that lends the system the whole write has it in its buffer until all is sent.
  cx.at_most(c->get_write_buffer_size(), waits, "bytes that wait afterwards");
  c->abort();
  until_lost(cx, *c.seen);
  cx.is_true(!c.seen->reason, "abort() is no error");
}

void slow_reader(Context& cx) {
  Connection c = narrow(cx, 4'096);
  std::string sent, got;
  for (int i = 0; sent.size() < 300'000; ++i) sent += std::to_string(i) + " ";
  c->write(view(sent));
  c->close();
  cx.run_until([&] {
    if (!tools::readable(c.peer.native())) return false;
    const Bytes part = c.peer.recv(3'000);
    got += text(part);
    return part.empty();
  });
  cx.equal(got.size(), sent.size(), "bytes that arrive before the end");
  cx.is_true(got == sent, "they are the ones that were sent");
}

constexpr CapSet kNeeds{Cap::create_connection};
constexpr CapSet kTimed{Cap::create_connection, Cap::call_later};
constexpr std::string_view kApi[] = {"Transport.write"};
constexpr std::string_view kSizeApi[] = {"Transport.write", "Transport.get_write_buffer_size"};
constexpr std::string_view kLinesApi[] = {"Transport.writelines", "Protocol.pause_writing",
                                          "Transport.get_write_buffer_limits"};
constexpr std::string_view kBothApi[] = {"Transport.write", "Transport.writelines"};
constexpr std::string_view kWrite =
    "docs.python.org/3/library/asyncio-protocol.html#asyncio.WriteTransport.write";
#define LOOPSCOPE_T_SEL \
  "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_selector_events.py"

constexpr Scenario kScenarios[] = {
    {.id = "tcp.write.buffer_snapshot",
     .promise = "Bytes that change after write() or writelines() returned are sent as they were.",
     .source = "github.com/Kludex/zuvloop/pull/61",
     .needs = kNeeds,
     .body = bytes_changed_afterwards,
     .authority = Authority::ours,
     .api = kBothApi},
    {.id = "tcp.write.empty",
     .promise = "Writing nothing does nothing.",
     .source = LOOPSCOPE_T_SEL " test_write_no_data",
     .needs = kTimed,
     .body = empty_writes,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kBothApi},
    {.id = "tcp.write.types",
     .promise = "Memory of any item size can be written, and is counted in bytes.",
     .source = LOOPSCOPE_T_SEL " test_write_memoryview",
     .needs = kNeeds,
     .body = items_wider_than_a_byte,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kSizeApi},
    {.id = "tcp.writelines.gather",
     .promise = "writelines sends thousands of pieces, empty ones too, in order and under flow"
                " control.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.WriteTransport.writelines;"
               " github.com/python/cpython/issues/127655",
     .needs = kNeeds | CapSet{Cap::flow_control},
     .body = thousands_of_pieces,
     .severity = Severity::common,
     .api = kLinesApi},
    {.id = "tcp.write.huge_single",
     .promise = "One write of more than 2 GiB is sent, or refused with a reason.",
     .source = "man 2 write, NOTES (0x7ffff000 bytes at most)",
     .needs = kNeeds,
     .body = beyond_two_gibibytes,
     .level = Level::should,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kSizeApi,
     .exclusive = Resource::memory,
     .limit = std::chrono::milliseconds(120'000)},  // 2 GiB of first touches where each is slow
    {.id = "tcp.partial_writes",
     .promise = "A small send buffer and a slow reader cost no byte and no order.",
     .source = kWrite,
     .needs = kNeeds,
     .body = slow_reader,
     .api = kApi},
};
#undef LOOPSCOPE_T_SEL

}  // namespace

extern const ScenarioFile file{"A7", "TCP transports", kScenarios};
}  // namespace loopscope::scenarios::tcp_writing
