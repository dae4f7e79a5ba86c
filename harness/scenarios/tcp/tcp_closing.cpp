// TCP transports: what close() still sends, and what abort() does not.
#include "harness/scenario.hpp"
#include "harness/scenarios/connections.hpp"

namespace loopscope::scenarios::tcp_closing {
namespace {

std::string numbers(std::size_t size) {
  std::string all;
  for (int i = 0; all.size() < size; ++i) all += std::to_string(i) + " ";
  return all;
}

void close_flushes(Context& cx) {
  Connection c = connect(cx);
  const std::string sent = numbers(5'000'000);
  c->write(view(sent));
  c->close();
  cx.is_true(c->is_closing(), "is_closing after close()");
  const std::string got = read_to_end(cx, c.peer);
  cx.equal(got.size(), sent.size(), "bytes between close() and the end");
  cx.is_true(got == sent, "they are the ones that were written");
  until_lost(cx, *c.seen);
  cx.is_true(!c.seen->reason, "connection_lost is given no error");
  cx.equal(c.seen->lost, 1u, "calls of connection_lost");
}

void write_after_close(Context& cx) {
  for (const bool backed_up : {false, true}) {
    Connection c = connect(cx);
    const std::size_t before = backed_up ? write_until_buffered(cx, *c.transport) : 0;
    c->close();
    c->write(view("late"));
    const std::string pieces[] = {"later", "", "latest"};
    const ByteView chunks[] = {view(pieces[0]), view(pieces[1]), view(pieces[2])};
    c->writelines(chunks);
    const std::size_t got = read_to_end(cx, c.peer).size();
    until_lost(cx, *c.seen);
    cx.is_true(!c.seen->reason, "a write after close() is no error");
    cx.equal(c.seen->lost, 1u, "calls of connection_lost");
    cx.at_least(got, before, "bytes from before close()");
    if (got > before) {
      cx.diverges("sent while the buffer drains", show(before) + " bytes", show(got) + " bytes");
    }
  }
}

void close_with_unread_data(Context& cx) {
  Connection c = connect(cx);
  c->pause_reading();
  turn(cx);
  c.peer.send(std::string(20'000, 'u'));  // Nobody will read it.
  const std::string sent = numbers(50'000);
  c->write(view(sent));
  c->close();
  until_lost(cx, *c.seen);
  cx.equal(c.seen->lost, 1u, "calls of connection_lost");
  cx.equal(c.seen->data, "", "bytes delivered after close()");
  std::string got;
  Result<os::Transfer> part{os::Transfer(1)};
  for (Bytes buffer(4'096); part.ok() && part.value().value_or(0) > 0;) {
    part = os::recv(c.peer.native(), buffer);
    if (part.ok()) got += text(ByteView(buffer).first(part.value().value_or(0)));
  }
  cx.note("bytes_at_peer", static_cast<double>(got.size()), "bytes");
  cx.note("end_at_peer", part.ok() ? "end of file" : error_name(part.error().code));
  cx.is_true(sent.compare(0, got.size(), got) == 0, "the peer gets a beginning of what was sent");
}

void abort_drops(Context& cx) {
  for (const std::string_view steps : {"a", "ca", "ea"}) {  // close, write_eof, abort
    Connection c = connect(cx);
    write_until_buffered(cx, *c.transport);  // The peer never reads.
    for (const char step : steps) {
      if (step == 'c') c->close();
      if (step == 'e') cx.ok(c->write_eof(), "write_eof");
      if (step == 'a') c->abort();
    }
    cx.equal(c.seen->lost, 0u, "calls of connection_lost inside abort()");
    cx.equal(c->get_write_buffer_size(), 0u, "bytes buffered after abort()");
    until_lost(cx, *c.seen);
    cx.equal(c.seen->lost, 1u, "calls of connection_lost");
    cx.is_true(!c.seen->reason, "abort() is no error");
    cx.is_true(c->is_closing(), "is_closing after abort()");
  }
}

constexpr CapSet kNeeds{Cap::create_connection};
constexpr std::string_view kCloseApi[] = {"Transport.close", "Transport.write",
                                          "Transport.is_closing", "Protocol.connection_lost"};
constexpr std::string_view kLateApi[] = {"Transport.close", "Transport.write",
                                         "Transport.writelines"};
constexpr std::string_view kAbortApi[] = {"Transport.abort", "Transport.get_write_buffer_size",
                                          "Protocol.connection_lost"};

constexpr Scenario kScenarios[] = {
    {.id = "tcp.close.flushes",
     .promise = "close() sends all that is buffered, then the end; connection_lost comes after.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.BaseTransport.close;"
               " github.com/python/cpython/issues/115514",
     .needs = kNeeds,
     .body = close_flushes,
     .api = kCloseApi},
    {.id = "tcp.close.write_after",
     .promise = "What is written after close() is dropped without an error.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_selector_events.py"
               " test_write_closing",
     .needs = kNeeds,
     .body = write_after_close,
     .level = Level::should,
     .authority = Authority::ours,
     .severity = Severity::common,
     .api = kLateApi},
    {.id = "tcp.close.unread_inbound",
     .promise = "Closing with unread data ends once; what the peer gets is cut short at most.",
     .source = "www.rfc-editor.org/rfc/rfc1122#page-87 section 4.2.2.13",
     .needs = kNeeds,
     .body = close_with_unread_data,
     .level = Level::should,
     .authority = Authority::vendor_doc,
     .severity = Severity::common,
     .api = kCloseApi},
    {.id = "tcp.abort",
     .promise = "abort() drops the buffer at once and ends without waiting for the peer.",
     .source = "docs.python.org/3/library/asyncio-protocol.html#asyncio.WriteTransport.abort;"
               " github.com/python/cpython/issues/88594",
     .needs = kNeeds,
     .body = abort_drops,
     .api = kAbortApi},
};

}  // namespace

extern const ScenarioFile file{"A7", "TCP transports", kScenarios};
}  // namespace loopscope::scenarios::tcp_closing
