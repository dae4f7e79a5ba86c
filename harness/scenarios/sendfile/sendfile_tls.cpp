// sendfile over TLS, where the system cannot transfer: what arrives, and what waits in memory.
#include "harness/scenario.hpp"
#include "harness/scenarios/sendfile/numbered_file.hpp"
#include "harness/scenarios/tls/secured.hpp"

namespace loopscope::scenarios::sendfile_tls {
namespace {

/// A TLS client whose buffers are small and whose peer does nothing until release().
class Upload {
 public:
  Upload(Context& cx, PeerThread::Script script)
      : secrets_(cx),
        plain_(narrow_pair(cx)),
        gate_(cx.stream_pair()),
        peer_(cx, std::move(plain_.peer), secrets_.peer_server(),
              [gate = std::make_shared<Peer>(std::move(gate_.peer)), then = std::move(script)](
                  TlsPeer& tls, PeerReport& report) {
                gate->recv_until_eof();
                then(tls, report);
              }),
        open(secure_client(cx, recorder(cx), plain_.subject, secrets_.client())) {}

  void release() { gate_.subject.close(); }
  /// All that the peer has received, after the end of the connection.
  std::string received(Context& cx) {
    until_lost(cx, *open.seen);
    return peer_.finish().data;
  }

 private:
  Secrets secrets_;
  StreamPair plain_, gate_;
  PeerThread peer_;

 public:
  const WatchedStream open;
};

void same_plaintext(Context& cx) {
  const NumberedFile file(cx, 300'000);
  Upload upload(cx, listen);
  upload.release();
  std::string want;
  // Counts around the sizes of records and buffers: what was read beyond them must not be sent.
  for (const std::size_t count : {0u, 1u, 16'384u, 16'385u, 65'535u, 65'537u, 299'997u}) {
    upload.open->write(view("["));
    const auto sending = cx.loop().sendfile(upload.open.transport, file.range(3, count));
    cx.equal(finished(cx, sending).value(), count, "bytes that the result counts");
    cx.equal(file.position(), 3 + count, "the file's position");
    upload.open->write(view("]"));
    want += "[" + file.part(3, count) + "]";
  }
  upload.open->close();
  same_bytes(cx, upload.received(cx), want, "between what is written");
  cx.is_true(!upload.open.seen->reason, "a clean end");
}

void bounded(Context& cx) {
  const NumberedFile file(cx, kMoreThanFits);
  Upload upload(cx, listen);
  const auto sending = cx.loop().sendfile(upload.open.transport, file.range());
  until_stuck(cx, file);
  cx.is_true(!sending.done(), "a peer that does not read makes it wait");
  cx.at_most(upload.open->get_write_buffer_size(),
             upload.open->get_write_buffer_limits().high + 256 * 1024, "bytes buffered meanwhile");
  cx.at_most(waits_while_idle(cx), kFewWaits, "waits meanwhile");
  upload.release();
  cx.equal(finished(cx, sending).value(), kMoreThanFits, "bytes of the whole file");
  cx.equal(file.position(), kMoreThanFits, "the file's position");
  upload.open->close();
  same_bytes(cx, upload.received(cx), file.content, "the whole file");
}

void cancelled(Context& cx) {
  const NumberedFile file(cx, kMoreThanFits);
  Upload upload(cx, listen);
  auto sending = cx.loop().sendfile(upload.open.transport, file.range());
  until_stuck(cx, file);
  cx.is_true(sending.cancel(), "the transfer can be cancelled");
  cx.refused(finished(cx, sending), Errc::cancelled, "its outcome");
  cx.is_true(upload.open->get_protocol() == upload.open.seen,
             "the protocol is the one from before");
  cx.is_true(upload.open->is_reading(), "the transport reads as before");
  const std::uint64_t stood = file.position();
  upload.open->write(view("after"));
  upload.release();
  upload.open->close();
  same_bytes(cx, upload.received(cx), file.part(0, stood) + "after",
             "what was sent, then what is written");
}

void peer_goes_away(Context& cx) {
  const NumberedFile file(cx, kMoreThanFits);
  for (const bool in_order : {true, false}) {
    Upload upload(cx, [in_order](TlsPeer& tls, PeerReport& report) {
      report.data = tls.recv_up_to(1'000);
      if (in_order) tls.send_close_notify();
    });
    const auto sending = cx.loop().sendfile(upload.open.transport, file.range());
    until_stuck(cx, file);
    upload.release();
    cx.refused(finished(cx, sending), "a transfer whose peer goes away");
    const std::string got = upload.received(cx);
    same_bytes(cx, got, file.part(0, got.size()), "what the peer has read");
    cx.equal(upload.open.seen->lost, 1u, "calls of connection_lost");
    cx.at_least(file.position(), got.size(), "the file's position: offset plus what was sent");
    cx.refused(finished(cx, cx.loop().sendfile(upload.open.transport, file.range())),
               "another transfer");
  }
}

void without_fallback(Context& cx) {
  const NumberedFile file(cx, 10'000);
  Upload upload(cx, listen);
  upload.release();
  FileRange strict = file.range();
  strict.fallback = false;
  cx.refused(finished(cx, cx.loop().sendfile(upload.open.transport, strict)), Errc::not_supported,
             "sendfile without the fallback");
  const auto sending = cx.loop().sendfile(upload.open.transport, file.range());
  cx.equal(finished(cx, sending).value(), 10'000u, "bytes sent with the fallback");
  upload.open->close();
  same_bytes(cx, upload.received(cx), file.content, "with the fallback, and nothing before");
}

constexpr CapSet kNeeds{Cap::sendfile, Cap::start_tls, Cap::create_connection, Cap::native_socket};
constexpr std::string_view kApi[] = {"sendfile"};
constexpr std::string_view kDocs =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.sendfile";
constexpr std::string_view kTests =
    "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_sendfile.py";

constexpr Scenario kScenarios[] = {
    {.id = "sendfile.tls",
     .promise = "Over TLS exactly the asked-for bytes arrive, between what is written around them.",
     .source = kDocs,
     .needs = kNeeds,
     .body = same_plaintext,
     .severity = Severity::common,
     .api = kApi},
    {.id = "sendfile.tls.bounded",
     .promise = "A peer that does not read keeps the rest of the file on disk, not in the buffer.",
     .source = "github.com/python/cpython/issues/131325",
     .needs = kNeeds | CapSet{Cap::call_later},
     .body = bounded,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kApi},
    {.id = "sendfile.tls.cancel",
     .promise = "After a cancelled transfer over TLS the connection goes on as before.",
     .source = kTests,
     .needs = kNeeds,
     .body = cancelled,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kApi},
    {.id = "sendfile.tls.peer_closes",
     .promise = "A peer that ends TLS in the middle, in order or not, ends the transfer.",
     .source = kTests,
     .needs = kNeeds,
     .body = peer_goes_away,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kApi},
    // A loop that hands the keys to the kernel would have to be judged anew: none does so.
    {.id = "sendfile.tls.without_fallback",
     .promise = "Without the fallback a TLS transport is refused, and goes on as before.",
     .source = kDocs,
     .needs = kNeeds,
     .body = without_fallback,
     .severity = Severity::edge,
     .api = kApi},
};

}  // namespace

extern const ScenarioFile file{"A17", "sendfile", kScenarios};
}  // namespace loopscope::scenarios::sendfile_tls
