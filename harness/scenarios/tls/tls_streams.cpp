// TLS streams: large data, changes of keys, and the ways in which a connection ends.
#include <atomic>
#include <latch>

#include "harness/scenario.hpp"
#include "harness/scenarios/tls/secured.hpp"

namespace loopscope::scenarios::tls_streams {
namespace {

using std::chrono::milliseconds;

/// Text in which every piece differs from the others.
std::string numbered(std::size_t size) {
  std::string all;
  for (std::size_t i = 0; all.size() < size; ++i) all += std::to_string(i) + ',';
  all.resize(size);
  return all;
}

void echo_large(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  std::latch go(1);
  // Where encryption is slower than TCP, a peer that reads from the start never lets data wait.
  PeerThread peer(cx, std::move(pair.peer), secrets.peer_server(),
                  [&go](TlsPeer& tls, PeerReport& report) {
                    go.wait();
                    echo(tls, report);
                  });
  const std::string all = numbered(10 * 1'048'576);
  const auto seen = recorder(cx);
  const auto client = secure_client(cx, seen, pair.subject, secrets.client());
  const std::size_t high = client->get_write_buffer_limits().high;
  std::size_t written = 0, most = 0;
  const auto write = [&] {  // from one byte to a mebibyte at once, while the transport takes it
    for (std::size_t piece = 1; seen->pauses == seen->resumes && written < all.size();) {
      const std::size_t count = std::min(piece, all.size() - written);
      client->write(view(all).subspan(written, count));
      written += count;
      most = std::max(most, client->get_write_buffer_size());
      piece = piece >= 1'048'576 ? 1 : piece * 4;
    }
  };
  seen->on_resume = write;
  write();
  go.count_down();
  cx.run_until([&] { return seen->data.size() >= all.size() || seen->lost > 0; });
  cx.is_true(seen->data == all, "10 MiB come back as they were sent");
  cx.at_least(seen->pauses, 1u, "pauses for a peer that does not read yet");
  // A mebibyte is sixty-four records, each a little longer than its text.
  cx.at_most(most, high + 1'048'576 + 64 * 64, "bytes buffered, ciphertext included");
  client->close();
  until_lost(cx, *seen);
  cx.is_true(!seen->reason, "a clean end");
}

void buffered_protocol(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  PeerThread peer(cx, std::move(pair.peer), secrets.peer_server(), echo);
  const auto seen = std::make_shared<BufferedRecorder>(cx, 1000);
  const auto client = secure_client(cx, seen, pair.subject, secrets.client());
  const std::string all = numbered(100'000);
  client->write(view(all));
  cx.run_until([&] { return seen->data.size() >= all.size() || seen->lost > 0; });
  cx.is_true(seen->data == all, "all of it comes in lent memory");
  client->close();
  until_lost(cx, *seen);
}

void clean_shutdown(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  const std::string all = numbered(3'000'000);
  struct Seen {
    std::atomic<bool> answered{false};
    std::atomic<bool> open_until_then{false};
  };
  const auto shared = std::make_shared<Seen>();
  const os::NativeSocket peer_fd = pair.peer.native();
  PeerThread peer(cx, std::move(pair.peer), secrets.peer_server(),
                  [shared, peer_fd](TlsPeer& tls, PeerReport& report) {
                    report.data = tls.recv_until_end();
                    shared->open_until_then = tls.got_close_notify() && !tools::readable(peer_fd);
                    shared->answered = true;
                    tls.send_close_notify();
                  });
  const auto seen = recorder(cx);
  const auto client = secure_client(cx, seen, pair.subject, secrets.client());
  bool answered_before_lost = false;
  seen->on_lost = [&] { answered_before_lost = shared->answered; };
  client->write(view(all));
  client->close();
  cx.is_true(client->is_closing(), "is_closing after close()");
  until_lost(cx, *seen);
  const PeerReport& report = peer.finish();
  cx.is_true(report.data == all, "close() sends what is buffered");
  cx.is_true(report.close_notify, "then close_notify");
  cx.is_true(answered_before_lost, "connection_lost waits for the peer's close_notify");
  cx.is_true(shared->open_until_then, "TCP stays open until then");
  cx.is_true(!seen->reason, "a clean end");
  cx.equal(seen->lost, 1u, "calls of connection_lost");
}

void shutdown_timeout(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  PeerThread peer(cx, std::move(pair.peer), secrets.peer_server(),
                  [](TlsPeer& tls, PeerReport& report) {
                    report.data = tls.recv_until_end();  // close_notify, which is not answered
                    tls.wait_for_the_end_below();
                  });
  TlsOptions tls = secrets.client();
  tls.shutdown_timeout = milliseconds(40);
  const auto seen = recorder(cx);
  const auto client = secure_client(cx, seen, pair.subject, tls);
  const TimePoint begin = now();
  client->close();
  // The peer keeps TCP open: only the time ends this.
  until_lost(cx, *seen);
  cx.not_before(now(), begin + milliseconds(40), "the moment of connection_lost");
  cx.is_true(seen->reason && seen->reason->is(Errc::timed_out), "connection_lost says timed_out");
  cx.expect_trace({"made", "lost"});
}

void trailing_data(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  PeerThread peer(cx, std::move(pair.peer), secrets.peer_server(), [](TlsPeer& tls, PeerReport&) {
    (void)tls.recv_until_end();
    for (int i = 0; i < 20; ++i) tls.send(std::string(10'000, 't'));
    tls.send_close_notify();
  });
  const auto seen = recorder(cx);
  const auto client = secure_client(cx, seen, pair.subject, secrets.client());
  client->close();
  until_lost(cx, *seen);
  cx.equal(seen->data.size(), 0u, "bytes delivered after close()");
  cx.is_true(!seen->reason, "a clean end");
  cx.expect_trace({"made", "lost"});
}

void truncation(Context& cx) {
  const Secrets secrets(cx);
  for (const bool clean : {true, false}) {
    StreamPair pair = cx.tcp_pair();
    PeerThread peer(cx, std::move(pair.peer), secrets.peer_server(),
                    [clean](TlsPeer& tls, PeerReport&) {
                      tls.send("half a story");
                      if (clean) tls.send_close_notify();
                    });
    const auto seen = recorder(cx);
    const auto client = secure_client(cx, seen, pair.subject, secrets.client());
    until_lost(cx, *seen);
    cx.equal(seen->data, "half a story", "the data before the end");
    if (clean) {
      cx.is_true(!seen->reason, "close_notify is a clean end");
    } else {
      cx.is_true(seen->reason.has_value(), "an end without it is an error");
    }
  }
  cx.expect_trace({"made", "data", "eof", "lost", "made", "data", "lost"});
}

void no_half_close(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  PeerThread peer(cx, std::move(pair.peer), secrets.peer_server(), echo);
  const auto seen = recorder(cx);
  const auto client = secure_client(cx, seen, pair.subject, secrets.client());
  cx.is_true(!client->can_write_eof(), "can_write_eof() is false");
  cx.refused(client->write_eof(), Errc::not_supported, "write_eof()");
  client->write(view("as before"));
  cx.run_until([&] { return seen->data.size() >= 9 || seen->lost > 0; });
  cx.equal(seen->data, "as before", "the echo after the refusal");
  client->close();
  until_lost(cx, *seen);
}

void new_keys(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  PeerThread peer(cx, std::move(pair.peer), secrets.peer_client(),
                  [](TlsPeer& tls, PeerReport& report) {
                    for (int i = 0; i < 3; ++i) {
                      tls.update_keys();  // answered although the subject only reads
                      tls.send(std::to_string(i));
                      report.data += tls.recv_up_to(1);
                    }
                    tls.send_close_notify();
                  });
  const auto seen = recorder(cx);
  const auto server = secure_server(cx, seen, pair.subject, secrets.server());
  std::size_t answered = 0;
  const auto answer = [&] {
    for (; answered < seen->data.size(); ++answered) {
      server->write(view(seen->data).subspan(answered, 1));
    }
  };
  seen->on_data = answer;
  answer();
  until_lost(cx, *seen);
  cx.equal(seen->data, "012", "the data between the changes of keys");
  cx.equal(peer.finish().data, "012", "the answers under the new keys");
  cx.is_true(!seen->reason, "a clean end");
}

void no_renegotiation(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  TlsPeerOptions old = secrets.peer_client();
  old.only_1_2 = true;
  PeerThread peer(cx, std::move(pair.peer), old, [](TlsPeer& tls, PeerReport& report) {
    tls.send("before");
    report.data = tls.renegotiate() ? "renegotiated" : "refused";
  });
  const auto seen = recorder(cx);
  const auto server = secure_server(cx, seen, pair.subject, secrets.server());
  until_lost(cx, *seen);
  cx.equal(info_text(*server.transport, "version"), "TLSv1.2", "the version that has it");
  cx.equal(seen->data, "before", "the data before it");
  const PeerReport& report = peer.finish();
  cx.equal(report.data, "refused", "the client's request to renegotiate");
  cx.is_true(report.why.find("renegotiation") != std::string::npos, "by an alert that says so");
}

void keys_and_renegotiation(Context& cx) {
  new_keys(cx);
  no_renegotiation(cx);
}

void close_while_paused(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  PeerThread peer(cx, std::move(pair.peer), secrets.peer_server(),
                  [](TlsPeer& tls, PeerReport& report) {
                    tls.send(std::string(200'000, 'p'));
                    listen(tls, report);
                  });
  const auto seen = recorder(cx);
  const auto client = secure_client(cx, seen, pair.subject, secrets.client());
  seen->on_data = [&] { client->pause_reading(); };
  cx.run_until([&] { return !seen->data.empty(); });
  const std::size_t delivered = seen->data.size();
  turn(cx);
  cx.is_true(!client->is_reading(), "is_reading while paused");
  client->close();
  until_lost(cx, *seen);
  cx.equal(seen->data.size(), delivered, "bytes delivered before the pause");
  cx.is_true(!seen->reason, "a clean end");
  cx.expect_trace({"made", "data", "lost"});
}

void pause_and_resume(Context& cx) {
  const Secrets secrets(cx);
  StreamPair pair = cx.tcp_pair();
  const std::string all = numbered(300'000);
  PeerThread peer(cx, std::move(pair.peer), secrets.peer_server(),
                  [all](TlsPeer& tls, PeerReport&) {
                    tls.send(all);
                    tls.send_close_notify();
                  });
  const auto seen = recorder(cx);
  const auto client = secure_client(cx, seen, pair.subject, secrets.client());
  bool paused = false;
  seen->on_data = [&] {
    cx.is_true(!paused, "no data between pause_reading and resume_reading");
    paused = true;
    client->pause_reading();
    cx.loop().call_later(milliseconds(1), [&] {
      paused = false;
      client->resume_reading();
    });
  };
  until_lost(cx, *seen);
  cx.is_true(seen->data == all, "everything comes, in order");
  cx.expect_trace({"made", "data", "eof", "lost"});
}

constexpr std::string_view kReadApi[] = {"Transport.pause_reading", "Transport.resume_reading"};
constexpr std::string_view kEofApi[] = {"Transport.can_write_eof", "Transport.write_eof"};
constexpr std::string_view kBufferApi[] = {"BufferedProtocol.get_buffer",
                                           "BufferedProtocol.buffer_updated"};
constexpr std::string_view kCloseApi[] = {"Transport.close", "Transport.is_closing"};
constexpr std::string_view kTestSsl =
    "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_ssl.py";
constexpr std::string_view kTransports = "docs.python.org/3/library/asyncio-protocol.html";
constexpr std::string_view kShutdown =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_connection";
constexpr std::string_view kAlerts = "datatracker.ietf.org/doc/html/rfc8446#section-6.1";

constexpr milliseconds kShort{5'000};  // what never ends is a matter of the limit

constexpr Scenario kScenarios[] = {
    {.id = "tls.echo_large",
     .promise = "10 MiB go and come back in order, in pieces of all sizes, under backpressure.",
     .source = kTransports,
     .needs = kTls,
     .body = echo_large,
     .api = kTlsApi,
     .limit = milliseconds(20'000)},
    {.id = "tls.buffered_protocol",
     .promise = "A protocol that lends its memory gets decrypted data in it, however small it is.",
     .source = kTransports,
     .needs = kTls,
     .body = buffered_protocol,
     .severity = Severity::common,
     .api = kBufferApi},
    {.id = "tls.shutdown.clean",
     .promise = "close() flushes, sends close_notify, and waits for the peer's before TCP ends.",
     .source = kShutdown,
     .needs = kTls,
     .body = clean_shutdown,
     .api = kCloseApi},
    {.id = "tls.shutdown.timeout",
     .promise = "A peer that never answers close_notify is waited for until shutdown_timeout.",
     .source = kShutdown,
     .needs = kTls,
     .body = shutdown_timeout,
     .api = kCloseApi,
     .limit = kShort},
    {.id = "tls.shutdown.trailing_data",
     .promise = "Data that comes after our close_notify is discarded, and holds nothing up.",
     .source = kAlerts,
     .needs = kTls,
     .body = trailing_data,
     .authority = Authority::vendor_doc,
     .severity = Severity::common,
     .api = kCloseApi},
    {.id = "tls.truncation",
     .promise = "An end without close_notify is an error of connection_lost, one with it is none.",
     .source = kAlerts,
     .needs = kTls,
     .body = truncation,
     .authority = Authority::vendor_doc,
     .severity = Severity::common,
     .api = kTlsApi},
    {.id = "tls.half_close",
     .promise = "can_write_eof is false, and write_eof refuses without harm.",
     .source = "docs.python.org/3/library/asyncio-protocol.html"
               "#asyncio.WriteTransport.can_write_eof",
     .needs = kTls,
     .body = no_half_close,
     .severity = Severity::edge,
     .api = kEofApi},
    {.id = "tls.renegotiation_and_1_3_keyupdate",
     .promise = "Requests for new keys are answered while reading; renegotiation is refused.",
     .source = "datatracker.ietf.org/doc/html/rfc8446#section-4.6.3",
     .needs = kTls,
     .body = keys_and_renegotiation,
     .authority = Authority::vendor_doc,
     .severity = Severity::edge,
     .api = kTlsServerApi},
    {.id = "tls.pause_reading_shutdown",
     .promise = "Closing a connection whose reading is paused completes.",
     .source = kTestSsl,
     .needs = kTls,
     .body = close_while_paused,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kReadApi,
     .limit = kShort},
    {.id = "tls.pause_reading",
     .promise = "Nothing is delivered while reading is paused, and nothing is lost by it.",
     .source = "docs.python.org/3/library/asyncio-protocol.html"
               "#asyncio.ReadTransport.pause_reading",
     .needs = kTls,
     .body = pause_and_resume,
     .severity = Severity::common,
     .api = kReadApi},
};

}  // namespace

extern const ScenarioFile file{"A18", "TLS", kScenarios};
}  // namespace loopscope::scenarios::tls_streams
