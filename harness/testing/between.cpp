// Standing between a transport and its protocol: what passes everything on.
#include "harness/testing/between.hpp"

#include <algorithm>
#include <stdexcept>

#include "loops/common/stream.hpp"

namespace loopscope::testing {
namespace {

os::NativeSocket descriptor_in(const ExtraInfo& info) {
  const os::NativeSocket* fd = std::get_if<os::NativeSocket>(&info);
  return fd == nullptr ? os::kInvalid : *fd;
}

template <class LinkType, class Between, class Factory, class Open>
Future<LinkType> link_behind(SelectorLoop& loop, std::shared_ptr<Between> between,
                             Factory user_factory, const Open& open) {
  Future<LinkType> inner = open([between, user_factory = std::move(user_factory)] {
    between->set_user(user_factory());
    return between;
  });
  if (inner.done()) return inner;  // a refusal: nothing was made
  Future<LinkType> outer = loop.create_future<LinkType>();
  outer.set_cancel_hook([inner]() mutable { (void)inner.cancel(); });
  inner.add_done_callback([inner, outer, between]() mutable {
    try {
      const Result<LinkType> link = inner.result();
      if (!link.ok()) {
        outer.set_error(link.error());
        return;
      }
      between->set_below(link->transport);
      outer.set_result(LinkType{between, between->user()});
    } catch (...) {  // The user's factory raised.
      outer.set_exception(std::current_exception());
    }
  });
  return outer;
}

}  // namespace

void StreamBetween::connection_made(BaseTransport& transport) {
  below_ = dynamic_cast<Transport*>(&transport);
  // The user may go on calling when the loop has let go of its transport.
  if (auto* stream = dynamic_cast<StreamTransport*>(&transport)) {
    kept_below_ = stream->shared_from_this();
  }
  user_->connection_made(*this);
}

bool StreamBetween::eof_received() {
  if (auto* plain = dynamic_cast<Protocol*>(user_.get())) return plain->eof_received();
  auto* lending = dynamic_cast<BufferedProtocol*>(user_.get());
  return lending != nullptr && lending->eof_received();
}

void StreamBetween::deliver(BaseProtocol& to, ByteView data) {
  if (auto* plain = dynamic_cast<Protocol*>(&to)) plain->data_received(data);
  auto* lending = dynamic_cast<BufferedProtocol*>(&to);
  while (lending != nullptr && !data.empty()) data = data.subspan(fill(*lending, data));
}

std::size_t StreamBetween::fill(BufferedProtocol& lending, ByteView data) {
  const std::span<std::byte> lent = lending.get_buffer(-1);
  if (lent.empty()) throw std::length_error("get_buffer gave an empty buffer");
  const std::size_t count = std::min(lent.size(), data.size());
  std::copy_n(data.begin(), count, lent.begin());
  lending.buffer_updated(count);
  return count;
}

os::NativeSocket StreamBetween::descriptor() const {
  return descriptor_in(below_->get_extra_info("pipe"));
}

void DatagramBetween::connection_made(BaseTransport& transport) {
  below_ = dynamic_cast<DatagramTransport*>(&transport);
  user_->connection_made(*this);
}

void DatagramBetween::set_protocol(std::shared_ptr<BaseProtocol> user) {
  user_ = std::dynamic_pointer_cast<DatagramProtocol>(std::move(user));
}

os::NativeSocket DatagramBetween::descriptor() const {
  return descriptor_in(below_->get_extra_info("socket"));
}

Future<Link> open_between(SelectorLoop& loop, std::shared_ptr<StreamBetween> between,
                          ProtocolFactory user,
                          const std::function<Future<Link>(ProtocolFactory)>& open) {
  return link_behind<Link>(loop, std::move(between), std::move(user), open);
}

ProtocolFactory each_behind(std::function<std::shared_ptr<StreamBetween>()> new_between,
                            ProtocolFactory user) {
  return [new_between = std::move(new_between), user = std::move(user)] {
    auto between = new_between();
    between->set_user(user());
    return between;
  };
}

Future<Link> StreamsBehind::connect_read_pipe(ProtocolFactory factory, PipeEnd pipe) {
  return open_between(*this, new_between(), std::move(factory), [&](ProtocolFactory behind) {
    return SelectorLoop::connect_read_pipe(std::move(behind), std::move(pipe));
  });
}

Future<Link> StreamsBehind::connect_write_pipe(ProtocolFactory factory, PipeEnd pipe) {
  return open_between(*this, new_between(), std::move(factory), [&](ProtocolFactory behind) {
    return SelectorLoop::connect_write_pipe(std::move(behind), std::move(pipe));
  });
}

Future<Link> StreamsBehind::create_connection(ProtocolFactory factory, ConnectOptions options) {
  return open_between(*this, new_between(), std::move(factory), [&](ProtocolFactory behind) {
    return SelectorLoop::create_connection(std::move(behind), std::move(options));
  });
}

Future<Link> StreamsBehind::connect_accepted_socket(ProtocolFactory factory, Socket& socket,
                                                    std::optional<TlsOptions> tls) {
  return open_between(*this, new_between(), std::move(factory), [&](ProtocolFactory behind) {
    return SelectorLoop::connect_accepted_socket(std::move(behind), socket, std::move(tls));
  });
}

Future<std::shared_ptr<Server>> StreamsBehind::create_server(ProtocolFactory factory,
                                                             ServerOptions options) {
  return SelectorLoop::create_server(
      each_behind([this] { return new_between(); }, std::move(factory)), std::move(options));
}

Future<DatagramLink> DatagramsBehind::create_datagram_endpoint(DatagramFactory factory,
                                                               DatagramOptions options) {
  return link_behind<DatagramLink>(
      *this, new_between(), std::move(factory), [&](DatagramFactory behind) {
        return SelectorLoop::create_datagram_endpoint(std::move(behind), std::move(options));
      });
}

}  // namespace loopscope::testing
