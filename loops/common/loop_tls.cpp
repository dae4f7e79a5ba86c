// start_tls of our own loops.
#include "loops/common/loop_base.hpp"
#include "loops/common/tls_transport.hpp"

namespace loopscope {

Result<std::shared_ptr<TlsTransport>> LoopBase::make_tls(std::shared_ptr<BaseProtocol> user,
                                                         const TlsOptions& options,
                                                         bool server_side) {
  return make_tls_transport(*this, std::move(user), options, server_side);
}

Future<Link> LoopBase::start_tls(Link plain, TlsOptions options) {
  constexpr std::string_view kOp = "start_tls";
  if (const std::optional<Errc> why = refuses()) return done_future<Link>(make_error(*why, kOp));
  if (plain.transport == nullptr) {
    return done_future<Link>(make_error(Errc::invalid_argument, kOp, "there is no transport"));
  }
  if (plain.transport->is_closing()) {
    return done_future<Link>(make_error(Errc::closed, kOp, "the transport is closing"));
  }
  if (plain.protocol == nullptr) plain.protocol = plain.transport->get_protocol();
  auto tls = make_tls(std::move(plain.protocol), options, options.server_side);
  if (!tls.ok()) return done_future<Link>(tls.error());
  Future<Link> future = create_future<Link>();
  complete_when_ready(*tls, future);
  const Result<void> taken = (*tls)->take_over(std::move(plain.transport), options.received);
  return taken.ok() ? future : done_future<Link>(taken.error());
}

}  // namespace loopscope
