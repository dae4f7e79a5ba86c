// Loops whose TLS connections begin wrongly: unverified, in plain, with lost bytes, for ever.
#include <algorithm>
#include <vector>

#include "harness/testing/tls_based.hpp"

namespace loopscope::testing::tls_handshake_faults {
namespace {

class NoHandshakeTimer final : public TlsTransport {
 public:
  using TlsTransport::TlsTransport;

 protected:
  void arm_handshake_timer() override {}
};

class TimerRunsOn final : public TlsTransport {
 public:
  using TlsTransport::TlsTransport;

 protected:
  void handshake_done() override {
    TlsTransport::handshake_done();
    arm_handshake_timer();
  }
};

class FailureKeepsSocket final : public TlsTransport {
 public:
  using TlsTransport::TlsTransport;

 protected:
  void fail(const Error& error) override {
    if (state() != State::handshake) return TlsTransport::fail(error);
    disarm();
    tell_ready(error);
  }
};

/// Waits for the next event of the socket although the engine holds data already.
class NeedsAnotherEvent final : public TlsTransport {
 public:
  using TlsTransport::TlsTransport;

 protected:
  void start() override { begun_ = true; }

 private:
  void data_received(ByteView data) override {
    if (begun_) TlsTransport::start();
    TlsTransport::data_received(data);
  }
  bool begun_ = false;
};

/// connection_made comes with the TCP connection, and what it writes goes out as it is.
class MadeTooEarly final : public TlsTransport {
 public:
  using TlsTransport::TlsTransport;
  void write(ByteView data) override {
    if (state() == State::handshake && !is_closing()) {
      below().write(data);
    } else {
      TlsTransport::write(data);
    }
  }

 protected:
  void begin(ByteView received) override {
    tell_made();
    TlsTransport::begin(received);
  }
};

class TellsNothing final : public TlsTransport {
 public:
  using TlsTransport::TlsTransport;
  ExtraInfo get_extra_info(std::string_view name) const override {
    for (const std::string_view own : {"alpn", "sni", "peercert"}) {
      if (name == own) return {};
    }
    return TlsTransport::get_extra_info(name);
  }
};

/// Answers for itself alone, and not for the connection below.
class AddressesForgotten final : public TlsTransport {
 public:
  using TlsTransport::TlsTransport;
  ExtraInfo get_extra_info(std::string_view name) const override {
    if (name == "peername" || name == "sockname") return {};
    return TlsTransport::get_extra_info(name);
  }
};

/// Clients get other TLS options than those that they ask for.
template <Result<void> (*change)(TlsOptions&)>
class OtherOptions final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<std::shared_ptr<TlsTransport>> make_tls(std::shared_ptr<BaseProtocol> user,
                                                 const TlsOptions& options,
                                                 bool server_side) override {
    TlsOptions changed = options;
    if (!server_side) {
      if (const Result<void> other = change(changed); !other.ok()) return other.error();
    }
    return SelectorLoop::make_tls(std::move(user), changed, server_side);
  }
};

Result<void> not_verified(TlsOptions& options) {
  auto lax = TlsContext::make({.verify_mode = VerifyMode::none});
  if (!lax.ok()) return lax.error();
  options.context = *lax;
  return {};
}
/// Resolves first, and goes on with the address as if it had been given.
Result<void> address_for_name(TlsOptions& options) {
  options.server_hostname = "127.0.0.1";
  return {};
}
/// The other way round: looks the name of a literal address up.
Result<void> name_for_address(TlsOptions& options) {
  if (options.server_hostname == "127.0.0.1") options.server_hostname = "server.test";
  return {};
}

class PlainWithoutContext final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> create_connection(ProtocolFactory factory, ConnectOptions options) override {
    if (options.tls && options.tls->context == nullptr) options.tls.reset();
    return SelectorLoop::create_connection(std::move(factory), std::move(options));
  }
};

class ServesInPlain final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<std::shared_ptr<Server>> create_server(ProtocolFactory factory,
                                                ServerOptions options) override {
    options.tls.reset();
    return SelectorLoop::create_server(std::move(factory), std::move(options));
  }
  Future<std::shared_ptr<Server>> create_unix_server(ProtocolFactory factory,
                                                     UnixServerOptions options) override {
    options.tls.reset();
    return SelectorLoop::create_unix_server(std::move(factory), std::move(options));
  }
};

class ConnectionsKept final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<std::shared_ptr<TlsTransport>> make_tls(std::shared_ptr<BaseProtocol> user,
                                                 const TlsOptions& options,
                                                 bool server_side) override {
    auto made = SelectorLoop::make_tls(std::move(user), options, server_side);
    if (made.ok()) kept_.push_back(*made);
    return made;
  }

 private:
  std::vector<std::shared_ptr<TlsTransport>> kept_;
};

// --- start_tls

class ReceivedForgotten final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> start_tls(Link plain, TlsOptions options) override {
    options.received.clear();
    return SelectorLoop::start_tls(std::move(plain), std::move(options));
  }
};

/// Reads on for a few iterations before the protocol is replaced.
class SwitchesLate final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> start_tls(Link plain, TlsOptions options) override {
    if (options.context == nullptr || plain.transport->is_closing()) {
      return SelectorLoop::start_tls(std::move(plain), std::move(options));
    }
    plain.transport->resume_reading();
    Future<Link> future = create_future<Link>();
    later(3, [this, future, plain, options]() mutable {
      Future<Link> inner = SelectorLoop::start_tls(plain, options);
      inner.add_done_callback([inner, future]() mutable {
        const Result<Link> link = inner.result();
        link.ok() ? future.set_result(*link) : future.set_error(link.error());
      });
    });
    return future;
  }

 private:
  void later(int iterations, std::function<void()> work) {
    call_soon([this, iterations, work = std::move(work)] {
      iterations == 0 ? work() : later(iterations - 1, work);
    });
  }
};

class RefusalAborts final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> start_tls(Link plain, TlsOptions options) override {
    const std::shared_ptr<Transport> transport = plain.transport;
    Future<Link> future = SelectorLoop::start_tls(std::move(plain), std::move(options));
    if (future.done() && transport != nullptr) transport->abort();
    return future;
  }
};

/// The protocol hears nothing of an upgrade that failed.
class LostInSilence final : public TlsTransport {
 public:
  using TlsTransport::TlsTransport;
  void connection_lost(const Error* why) override {
    if (state() == State::ending && why == nullptr && !done_) set_protocol(nullptr);
    TlsTransport::connection_lost(why);
  }

 protected:
  void handshake_done() override {
    done_ = true;
    TlsTransport::handshake_done();
  }

 private:
  bool done_ = false;
};

class NotOverTls final : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Future<Link> start_tls(Link plain, TlsOptions options) override {
    if (std::dynamic_pointer_cast<TlsTransport>(plain.transport) != nullptr) {
      return done_future<Link>(make_error(Errc::not_supported, "start_tls", "TLS over TLS"));
    }
    return SelectorLoop::start_tls(std::move(plain), std::move(options));
  }
};

using Names = std::string_view;
constexpr Names kTimeout[] = {"tls.handshake_timeout"};
constexpr Names kTimer[] = {"tls.handshake_timer_freed"};
constexpr Names kFailure[] = {"tls.handshake_failure"};
constexpr Names kFinished[] = {"tls.first_data_with_finished"};
constexpr Names kPlain[] = {"tls.write_before_handshake_and_after_close"};
constexpr Names kInfo[] = {"tls.alpn", "tls.sni", "tls.mutual"};
constexpr Names kAddresses[] = {"tls.start_tls.client"};
constexpr Names kVerify[] = {"tls.certificate.expired", "tls.certificate.unknown_authority",
                             "tls.certificate.self_signed", "tls.certificate.name_mismatch"};
constexpr Names kName[] = {"tls.certificate.name_mismatch", "tls.sni"};
constexpr Names kLiteral[] = {"tls.sni_literal_address"};
constexpr Names kContext[] = {"tls.certificate.unreadable", "tls.certificate.malformed",
                              "tls.certificate.wrong_password", "tls.certificate.key_mismatch"};
constexpr Names kServers[] = {"tls.server", "tls.unix_sockets"};
constexpr Names kMemory[] = {"tls.memory_cycle"};
constexpr Names kReceived[] = {"tls.start_tls.buffered"};
constexpr Names kLate[] = {"tls.start_tls.race"};
constexpr Names kRefusal[] = {"tls.start_tls.refused"};
constexpr Names kSilence[] = {"tls.start_tls.failure"};
constexpr Names kOverOnly[] = {"tls.over_tls"};

constexpr Names kData[] = {"tls.buffered_protocol", "tls.shutdown.clean", "tls.start_tls.client"};
constexpr Names kStrict[] = {"tls.certificate.expired", "tls.certificate.name_mismatch",
                             "tls.buffered_protocol"};
constexpr Names kStreams[] = {"tls.buffered_protocol", "tls.handshake_timeout"};
constexpr Names kUpgrade[] = {"tls.start_tls.client", "tls.buffered_protocol"};

const FaultyLoop kLoops[] = {
    faulty_tls<TlsThrough<NoHandshakeTimer>>("faulty.tls_no_handshake_timeout",
                                             "A TLS handshake may take for ever.", kTimeout, kData),
    faulty_tls<TlsThrough<TimerRunsOn>>("faulty.tls_handshake_timer_runs_on",
                                        "The timer of the handshake outlives it.", kTimer, kStrict),
    faulty_tls<TlsThrough<FailureKeepsSocket>>("faulty.tls_failure_keeps_socket",
                                               "A handshake that failed leaves its socket open.",
                                               kFailure, kData),
    faulty_tls<TlsThrough<NeedsAnotherEvent>>(
        "faulty.tls_data_with_finished_waits",
        "Data that came with the end of the handshake waits for the next event.", kFinished,
        kStrict),
    faulty_tls<TlsThrough<MadeTooEarly>>(
        "faulty.tls_writes_in_plain",
        "connection_made comes before the handshake, and what it writes is sent in plain.", kPlain,
        kData),
    faulty_tls<TlsThrough<TellsNothing>>(
        "faulty.tls_extra_info_missing",
        "get_extra_info knows neither ALPN nor SNI nor the peer's certificate.", kInfo, kData),
    faulty_tls<TlsThrough<AddressesForgotten>>("faulty.tls_addresses_forgotten",
                                               "A TLS transport does not know the peer's address.",
                                               kAddresses, kStrict),
    faulty_tls<OtherOptions<not_verified>>("faulty.tls_not_verified",
                                           "Certificates are not verified.", kVerify, kData),
    faulty_tls<OtherOptions<address_for_name>>(
        "faulty.tls_address_for_name",
        "The peer's address takes the place of the name to be checked.", kName, kData),
    faulty_tls<OtherOptions<name_for_address>>(
        "faulty.tls_name_for_address",
        "A literal address is replaced by the name that belongs to it.", kLiteral, kStrict),
    faulty_tls<PlainWithoutContext>("faulty.tls_plain_without_context",
                                    "TLS without a context is no TLS.", kContext, kStrict),
    faulty_tls<ServesInPlain>("faulty.tls_servers_in_plain", "Servers ignore their TLS options.",
                              kServers, kStrict),
    faulty_tls<ConnectionsKept>("faulty.tls_connections_kept",
                                "TLS connections are kept until the loop is destroyed.", kMemory,
                                kStrict),
    faulty_tls<ReceivedForgotten>("faulty.start_tls_drops_received",
                                  "start_tls drops what the plain protocol has received.",
                                  kReceived, kUpgrade),
    faulty_tls<SwitchesLate>("faulty.start_tls_switches_late",
                             "start_tls reads on before it replaces the protocol.", kLate,
                             kStreams),
    faulty_tls<RefusalAborts>("faulty.start_tls_refusal_aborts",
                              "A start_tls that is refused ends the plain connection.", kRefusal,
                              kUpgrade),
    faulty_tls<TlsThrough<LostInSilence>>("faulty.start_tls_failure_in_silence",
                                          "The protocol is not told that an upgrade has failed.",
                                          kSilence, kUpgrade),
    faulty_tls<NotOverTls>("faulty.start_tls_not_over_tls", "TLS inside TLS is refused.", kOverOnly,
                           kUpgrade),
};

}  // namespace

extern const FaultyFile file{kLoops};
}  // namespace loopscope::testing::tls_handshake_faults
