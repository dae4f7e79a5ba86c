// I/O completion ports: overlapped calls for what completes, poll requests to Winsock's driver for
// readers and writers, and looking at pipes now and then for those that only want to know of them.
//
// Quirks handled here; those with an id have a probe of the same id:
//   synchronous handles, which CreatePipe makes, block in overlapped calls: they are refused.
//   iocp.reassociate    a handle belongs to its first port for ever: calls on one of another port
//                       end by an event.
//   wait.early_return   a wait may end up to a tick before its time: what is left is waited again.
//   iocp.connectex      wants a bound socket, and leaves it half connected until it is told.
//   iocp.acceptex       fails with a client that leaves early: the next request is made at once.
//   receives            of no bytes wait for data without holding memory, and can be cancelled
//                       without losing any.
//   TransmitFile        tells nothing of what it has sent when it is cancelled: pieces are small.
//   unconnected sockets are told what became of the datagrams they sent: that ends no receive.
// Source: learn.microsoft.com, "I/O Completion Ports", AcceptEx, ConnectEx; wepoll; CPython,
// Modules/overlapped.c.
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <unordered_map>
#include <unordered_set>

#include "loops/common/tls_engine.hpp"
#include "loops/os/pipe.hpp"
#include "loops/os/windows/afd.hpp"
#include "loops/os/windows/modes.hpp"
#include "loops/os/windows/winsock.hpp"
#include "loops/proactor/proactor_loop.hpp"

namespace loopscope {
namespace {

constexpr std::size_t kReadSize = std::size_t{64} * 1024;
constexpr std::size_t kMostBuffers = 1024;  // Wine refuses more in one call
constexpr int kMostBatches = 64;            // of completions in one turn
constexpr Duration kLookAtPipes = std::chrono::milliseconds(10);
constexpr DWORD kAddressRoom = sizeof(sockaddr_storage) + 16;  // AcceptEx wants 16 bytes more

SOCKET socket_of(const Operation& operation) { return static_cast<SOCKET>(operation.fd); }
HANDLE handle_of(const Operation& operation) { return os::handle_of(operation.fd); }

/// Memory for what is received, given back when nobody looks at it any more.
class Pool final : public LentBytes::Pool {
 public:
  std::uint32_t take() {
    if (!free_.empty()) {
      const std::uint32_t id = free_.back();
      free_.pop_back();
      return id;
    }
    pieces_.push_back(std::make_unique<Piece>());
    return static_cast<std::uint32_t>(pieces_.size() - 1);
  }
  std::span<std::byte> bytes(std::uint32_t id) { return *pieces_[id]; }
  void give_back(std::uint32_t id) noexcept override { free_.push_back(id); }

 private:
  using Piece = std::array<std::byte, kReadSize>;
  std::vector<std::unique_ptr<Piece>> pieces_;
  std::vector<std::uint32_t> free_;
};

/// One operation while the system has it.
struct Flight final : Operation::InFlight {
  explicit Flight(Operation& of) : operation(&of) {}

  ~Flight() override { stop_waiting(); }
  void stop_waiting() {
    if (wait != nullptr)
      (void)::UnregisterWaitEx(std::exchange(wait, nullptr), INVALID_HANDLE_VALUE);
  }
  static void CALLBACK on_event(void* self, BOOLEAN) {
    auto& flight = *static_cast<Flight*>(self);
    (void)::PostQueuedCompletionStatus(flight.port, 0, 2, &flight.overlapped);
  }

  OVERLAPPED overlapped{};  // its address is what a completion names
  Operation* operation;
  bool cancelled = false;         // asked for: it is not begun again
  std::error_code refused{};      // by the call itself: the completion was posted
  std::size_t sent = 0;           // send: bytes of earlier calls
  std::vector<WSABUF> buffers{};  // send
  os::UniqueFd accepted{};        // accept
  std::array<std::byte, std::size_t{2} * kAddressRoom> addresses{};  // accept
  int address_size = 0;                                              // receive_from
  DWORD flags = 0;
  // A handle that belongs to another port: an event says when it is done, and a thread of the
  // system's pool passes that on.
  os::UniqueFd event{};
  HANDLE wait = nullptr, port = nullptr;
  bool stream = false;                  // connect: it has to be told when it is done
  std::optional<std::uint32_t> lent{};  // receive of a pipe
  os::afd::PollInfo poll{};
};

Flight& flight_of(const Operation& operation) { return static_cast<Flight&>(*operation.in_flight); }

/// An extension of Winsock, which is found by asking a socket.
template <class Function>
Function extension(SOCKET socket, GUID id) {
  Function function = nullptr;
  DWORD size = 0;
  (void)::WSAIoctl(socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &function,
                   sizeof function, &size, nullptr, nullptr);
  return function;
}

std::error_code code_of_status(NTSTATUS status) {
  // STATUS_HANDLES_CLOSED: the socket was closed under the request.
  if (status == static_cast<NTSTATUS>(0x8000000A)) return {ECANCELED, errno_category()};
  return os::code_of_windows(::RtlNtStatusToDosError(status));
}

ULONG events_for(const Operation& operation) {
  using namespace os::afd;
  ULONG events = kAbort | kLocalClose | kConnectFail;
  if (operation.readable) events |= kReceive | kDisconnect | kAccept;
  if (operation.writable) events |= kSend;
  return events;
}

class IocpProactor final : public Proactor {
 public:
  IocpProactor(os::UniqueFd port, os::UniqueFd driver)
      : port_(std::move(port)), driver_(std::move(driver)), pool_(std::make_shared<Pool>()) {}
  ~IocpProactor() override;

  Result<void> attach(os::NativeSocket fd) override;
  Result<void> submit(Operation& operation) override;
  void request_cancel(Operation& operation) override;
  Result<void> flush() override { return {}; }
  Result<void> wait(std::optional<Duration> timeout) override;
  bool transmits_files() const override { return true; }
  void wake() noexcept override {
    if (!woken_.exchange(true)) (void)::PostQueuedCompletionStatus(port(), 0, 0, nullptr);
  }
  std::string_view mechanism() const override { return "GetQueuedCompletionStatusEx"; }
  std::string version() const override {
    return "AcceptEx ConnectEx, zero-byte receives, AFD polls";
  }
  os::NativeSocket descriptor() const override { return port_.get(); }
  std::vector<os::NativeSocket> internal_descriptors() const override {
    return {port_.get(), driver_.get()};
  }

 private:
  HANDLE port() const { return os::handle_of(port_.get()); }

  /// Begins, or begins anew; value: the system's error, which is to come as a completion.
  std::error_code begin(Flight& flight);
  std::error_code begin_kind(Flight& flight);
  std::error_code begin_receive(Flight& flight);
  std::error_code begin_receive_from(Flight& flight);
  std::error_code begin_send(Flight& flight);
  std::error_code begin_accept(Flight& flight);
  std::error_code begin_connect(Flight& flight);
  std::error_code begin_poll(Flight& flight);
  std::error_code begin_transmit(Flight& flight);
  /// A completion packet of our own, for what no call completes.
  std::error_code post(Flight& flight, std::error_code code = {});

  /// What an operation came to; nullopt: it was begun again.
  std::optional<Completion> end(Flight& flight, std::error_code error, std::size_t count);
  std::optional<Completion> end_receive(Flight& flight, std::error_code error, std::size_t count);
  std::optional<Completion> end_send(Flight& flight, std::error_code error, std::size_t count);
  std::optional<Completion> end_accept(Flight& flight, std::error_code error);
  std::optional<Completion> end_poll(Flight& flight, std::error_code error);
  Completion end_connect(Flight& flight, std::error_code error);
  std::optional<Completion> again(Flight& flight, Completion otherwise);

  void arrived(const OVERLAPPED_ENTRY& entry);
  void complete(Flight& flight, Completion completion);
  void look_at_pipes();

  os::UniqueFd port_, driver_;
  std::shared_ptr<Pool> pool_;
  std::unordered_map<os::NativeSocket, std::uint64_t> attached_;  // with os::closes_of
  std::unordered_map<OVERLAPPED*, Flight*> flights_;
  std::unordered_set<Flight*> pipe_polls_;
  std::atomic<bool> woken_{false};
};

// --- handles

/// The calls of a socket go to the port for good. Closing it ends that, and nothing else does.
Result<void> IocpProactor::attach(os::NativeSocket fd) {
  const std::uint64_t closes = os::closes_of(fd);
  const auto known = attached_.find(fd);
  if (known != attached_.end() && known->second == closes) return {};
  if (::CreateIoCompletionPort(os::handle_of(fd), port(), 1, 0) == nullptr) {
    const DWORD error = ::GetLastError();
    if (error != ERROR_INVALID_PARAMETER)
      return os::windows_error_of(error, "CreateIoCompletionPort");
    if (os::is_synchronous(fd)) return os::refuse_synchronous("CreateIoCompletionPort");
    return errno_error_of(EINVAL, "CreateIoCompletionPort",
                          "the handle belongs to another completion port");
  }
  attached_[fd] = closes;
  return {};
}

Result<void> IocpProactor::submit(Operation& operation) {
  if (!os::may_exist(operation.fd)) return errno_error_of(EBADF, "submit");
  if (operation.kind == Operation::Kind::poll) {
    const Result<os::FdKind> kind = os::kind_of(operation.fd);
    if (!kind.ok()) return kind.error();
    const bool readable_pipe = *kind == os::FdKind::pipe && !operation.writable;
    if (*kind != os::FdKind::socket && !readable_pipe) {
      return errno_error_of(EPERM, "IOCTL_AFD_POLL",
                            "only sockets can be watched, and pipes for reading");
    }
  }
  // A poll request is the driver's call, and not one of the socket.
  bool foreign = false;
  if (operation.kind != Operation::Kind::poll && operation.kind != Operation::Kind::splice) {
    const Result<void> attached = attach(operation.fd);
    if (!attached.ok() && !attached.error().is_errno(EINVAL)) return attached;
    foreign = !attached.ok();
  }
  auto made = std::make_unique<Flight>(operation);
  Flight& flight = *made;
  flight.port = port();
  if (foreign) {
    flight.event = os::UniqueFd(os::checked_native(::CreateEventW(nullptr, TRUE, FALSE, nullptr)));
    if (!flight.event) return os::windows_error("CreateEvent");
  }
  operation.in_flight = std::move(made);
  flights_.emplace(&flight.overlapped, &flight);
  if (const std::error_code refused = begin(flight)) (void)post(flight, refused);
  return {};
}

std::error_code IocpProactor::post(Flight& flight, std::error_code code) {
  flight.refused = code;
  flight.overlapped.Internal = 0;
  flight.overlapped.InternalHigh = 0;
  (void)::PostQueuedCompletionStatus(port(), 0, 2, &flight.overlapped);
  return {};
}

// --- beginning

namespace {
/// What a call of Winsock says that may go on in the background.
std::error_code pending_or(int result) {
  if (result == 0) return {};
  const int error = ::WSAGetLastError();
  if (error == WSA_IO_PENDING) return {};
  return os::code_of_windows(static_cast<unsigned long>(error));
}
std::error_code pending_or_error(BOOL result) {
  if (result != 0 || ::GetLastError() == ERROR_IO_PENDING) return {};
  return os::code_of_windows(::GetLastError());
}
}  // namespace

std::error_code IocpProactor::begin(Flight& flight) {
  flight.overlapped = {};
  if (!flight.event) return begin_kind(flight);
  // The lowest bit keeps the completion away from the port that the handle belongs to.
  (void)::ResetEvent(os::handle_of(flight.event.get()));
  flight.overlapped.hEvent = reinterpret_cast<HANDLE>(flight.event.get() | 1);
  if (const std::error_code refused = begin_kind(flight)) return refused;
  flight.stop_waiting();
  if (::RegisterWaitForSingleObject(&flight.wait, os::handle_of(flight.event.get()),
                                    Flight::on_event, &flight, INFINITE, WT_EXECUTEONLYONCE) == 0) {
    (void)::CancelIoEx(handle_of(*flight.operation), &flight.overlapped);
    (void)::WaitForSingleObject(os::handle_of(flight.event.get()), INFINITE);
    return os::code_of_windows(::GetLastError());
  }
  return {};
}

std::error_code IocpProactor::begin_kind(Flight& flight) {
  switch (flight.operation->kind) {
    case Operation::Kind::receive:
      return begin_receive(flight);
    case Operation::Kind::receive_from:
      return begin_receive_from(flight);
    case Operation::Kind::send:
      return begin_send(flight);
    case Operation::Kind::accept:
      return begin_accept(flight);
    case Operation::Kind::connect:
      return begin_connect(flight);
    case Operation::Kind::poll:
      return begin_poll(flight);
    case Operation::Kind::transmit:
      return begin_transmit(flight);
    case Operation::Kind::splice:
      break;
  }
  return {ENOSYS, errno_category()};  // Into a socket alone Windows moves files by itself.
}

std::error_code IocpProactor::begin_receive(Flight& flight) {
  const Operation& operation = *flight.operation;
  if (operation.is_socket) {
    WSABUF nothing{0, nullptr};
    // A receive of no bytes would take a datagram away.
    const Result<SocketType> type = os::type_of(operation.fd);
    flight.flags = type.ok() && *type == SocketType::datagram ? MSG_PEEK : 0;
    return pending_or(::WSARecv(socket_of(operation), &nothing, 1, nullptr, &flight.flags,
                                &flight.overlapped, nullptr));
  }
  std::span<std::byte> into = operation.into;
  if (into.empty()) {
    if (!flight.lent) flight.lent = pool_->take();
    into = pool_->bytes(*flight.lent);
  }
  const BOOL read = ::ReadFile(handle_of(operation), into.data(), static_cast<DWORD>(into.size()),
                               nullptr, &flight.overlapped);
  return pending_or_error(read);
}

std::error_code IocpProactor::begin_receive_from(Flight& flight) {
  Operation& operation = *flight.operation;
  WSABUF buffer{static_cast<ULONG>(operation.into.size()),
                reinterpret_cast<char*>(operation.into.data())};
  flight.flags = 0;
  flight.address_size = static_cast<int>(Endpoint::kCapacity);
  return pending_or(::WSARecvFrom(socket_of(operation), &buffer, 1, nullptr, &flight.flags,
                                  static_cast<sockaddr*>(operation.address.data()),
                                  &flight.address_size, &flight.overlapped, nullptr));
}

std::error_code IocpProactor::begin_send(Flight& flight) {
  const Operation& operation = *flight.operation;
  // What is left after `sent` bytes.
  flight.buffers.clear();
  std::size_t skip = flight.sent, room = os::kLargestTransfer;
  for (const ByteView piece : operation.pieces) {
    const std::size_t gone = std::min(skip, piece.size());
    skip -= gone;
    const std::size_t size = std::min(piece.size() - gone, room);
    if (size == 0 || flight.buffers.size() == kMostBuffers) continue;
    // The call takes pointers to memory that it reads only.
    flight.buffers.push_back(
        {static_cast<ULONG>(size),
         reinterpret_cast<char*>(const_cast<std::byte*>(piece.data() + gone))});
    room -= size;
  }
  if (!operation.is_socket) {
    if (flight.buffers.empty()) return post(flight);
    const WSABUF& first = flight.buffers.front();
    return pending_or_error(
        ::WriteFile(handle_of(operation), first.buf, first.len, nullptr, &flight.overlapped));
  }
  WSABUF nothing{0, nullptr};
  WSABUF* buffers = flight.buffers.empty() ? &nothing : flight.buffers.data();
  const auto count = static_cast<DWORD>(std::max<std::size_t>(flight.buffers.size(), 1));
  if (operation.address.size() == 0) {
    return pending_or(
        ::WSASend(socket_of(operation), buffers, count, nullptr, 0, &flight.overlapped, nullptr));
  }
  return pending_or(::WSASendTo(socket_of(operation), buffers, count, nullptr, 0,
                                static_cast<const sockaddr*>(operation.address.data()),
                                static_cast<int>(operation.address.size()), &flight.overlapped,
                                nullptr));
}

std::error_code IocpProactor::begin_accept(Flight& flight) {
  const Operation& operation = *flight.operation;
  if (!os::is_listening(operation.fd)) return {EINVAL, errno_category()};
  const Result<Endpoint> own = os::local_address(operation.fd);
  if (!own.ok()) return own.error().code;
  Result<os::UniqueFd> socket = os::open_socket(own->family(), SocketType::stream);
  if (!socket.ok()) return socket.error().code;
  flight.accepted = std::move(socket).value();
  const auto accept_ex = extension<LPFN_ACCEPTEX>(socket_of(operation), WSAID_ACCEPTEX);
  if (accept_ex == nullptr) return {ENOSYS, errno_category()};
  DWORD received = 0;
  const BOOL accepted = accept_ex(socket_of(operation), static_cast<SOCKET>(flight.accepted.get()),
                                  flight.addresses.data(), 0, kAddressRoom, kAddressRoom, &received,
                                  &flight.overlapped);
  return pending_or(accepted != 0 ? 0 : SOCKET_ERROR);
}

std::error_code IocpProactor::begin_connect(Flight& flight) {
  const Operation& operation = *flight.operation;
  const Result<SocketType> type = os::type_of(operation.fd);
  if (!type.ok()) return type.error().code;
  if (*type == SocketType::datagram) {  // Nothing is sent: it is done at once.
    const Result<bool> joined = os::connect(operation.fd, operation.address);
    return joined.ok() ? post(flight) : joined.error().code;
  }
  if (!os::local_address(operation.fd).ok()) {  // WSAEINVAL: it is not bound.
    const bool six = operation.address.family() == AddressFamily::ipv6;
    const Result<Endpoint> any = Endpoint::ip(six ? "::" : "0.0.0.0", 0);
    if (const Result<void> bound = os::bind(operation.fd, *any); !bound.ok()) {
      return bound.error().code;
    }
  }
  flight.stream = true;
  const auto connect_ex = extension<LPFN_CONNECTEX>(socket_of(operation), WSAID_CONNECTEX);
  if (connect_ex == nullptr) return {ENOSYS, errno_category()};
  const BOOL connected = connect_ex(
      socket_of(operation), static_cast<const sockaddr*>(operation.address.data()),
      static_cast<int>(operation.address.size()), nullptr, 0, nullptr, &flight.overlapped);
  return pending_or(connected != 0 ? 0 : SOCKET_ERROR);
}

std::error_code IocpProactor::begin_poll(Flight& flight) {
  const Operation& operation = *flight.operation;
  const Result<os::FdKind> kind = os::kind_of(operation.fd);
  if (!kind.ok()) return kind.error().code;
  if (*kind == os::FdKind::pipe) {
    pipe_polls_.insert(&flight);
    return {};
  }
  const Result<os::NativeSocket> base = os::afd::base_of(operation.fd);
  if (!base.ok()) return {EPERM, errno_category()};  // No socket: it cannot be polled.
  flight.poll = {};
  flight.poll.timeout.QuadPart = INT64_MAX;
  flight.poll.count = 1;
  flight.poll.handles[0] = {os::handle_of(*base), events_for(operation), 0};
  const NTSTATUS asked =
      os::afd::poll(os::handle_of(driver_.get()), flight.poll, flight.overlapped);
  return asked < 0 ? code_of_status(asked) : std::error_code();
}

/// TransmitFile wants to know how much there is: nought would mean the whole file.
std::error_code IocpProactor::begin_transmit(Flight& flight) {
  const Operation& operation = *flight.operation;
  const auto transmit = extension<LPFN_TRANSMITFILE>(socket_of(operation), WSAID_TRANSMITFILE);
  if (transmit == nullptr) return {ENOSYS, errno_category()};
  LARGE_INTEGER size{};
  if (::GetFileSizeEx(os::handle_of(operation.to), &size) == 0) {
    return os::code_of_windows(::GetLastError());
  }
  const std::uint64_t offset = operation.offset.value_or(0);
  const auto whole = static_cast<std::uint64_t>(size.QuadPart);
  const std::uint64_t left = std::min<std::uint64_t>(
      whole - std::min(whole, offset), std::min(operation.count, os::kLargestTransfer));
  if (left == 0) return post(flight);
  flight.overlapped.Offset = static_cast<DWORD>(offset);
  flight.overlapped.OffsetHigh = static_cast<DWORD>(offset >> 32);
  if (transmit(socket_of(operation), os::handle_of(operation.to), static_cast<DWORD>(left), 0,
               &flight.overlapped, nullptr, 0) != 0) {
    return {};
  }
  const int error = ::WSAGetLastError();
  if (error == WSA_IO_PENDING || error == ERROR_IO_PENDING) return {};
  return os::code_of_windows(static_cast<unsigned long>(error));
}

// --- ending

std::optional<Completion> IocpProactor::again(Flight& flight, Completion otherwise) {
  if (flight.cancelled) return otherwise;
  if (const std::error_code refused = begin(flight)) {
    otherwise.error = refused;
    return otherwise;
  }
  return std::nullopt;
}

std::optional<Completion> IocpProactor::end(Flight& flight, std::error_code error,
                                            std::size_t count) {
  switch (flight.operation->kind) {
    case Operation::Kind::receive:
      return end_receive(flight, error, count);
    case Operation::Kind::receive_from: {
      Operation& operation = *flight.operation;
      operation.address.resize(
          error && error.value() != EMSGSIZE ? 0 : static_cast<std::size_t>(flight.address_size));
      if (error == std::errc::message_size) {  // Cut to the memory there is, as on POSIX.
        return Completion{.count = operation.into.size()};
      }
      const bool reset =
          error == std::errc::connection_reset || error == std::errc::connection_refused;
      if (reset && !os::peer_address(operation.fd).ok()) {
        return again(flight, {.error = {ECANCELED, errno_category()}});
      }
      return Completion{.count = count, .error = error};
    }
    case Operation::Kind::send:
      return end_send(flight, error, count);
    case Operation::Kind::accept:
      return end_accept(flight, error);
    case Operation::Kind::connect:
      return end_connect(flight, error);
    case Operation::Kind::poll:
      return end_poll(flight, error);
    case Operation::Kind::transmit:
      return Completion{.count = count, .error = error};
    case Operation::Kind::splice:
      break;
  }
  return Completion{.error = error};
}

std::optional<Completion> IocpProactor::end_receive(Flight& flight, std::error_code error,
                                                    std::size_t count) {
  const Operation& operation = *flight.operation;
  Completion completion{.error = error};
  if (operation.is_socket) {
    if (error && error != std::errc::message_size) return completion;
    completion.error = {};  // There is more than nothing: a datagram waits.
    const std::uint32_t id = operation.into.empty() ? pool_->take() : 0;
    const std::span<std::byte> into = operation.into.empty() ? pool_->bytes(id) : operation.into;
    LentBytes lent;
    const Result<os::Transfer> got = os::recv(operation.fd, into);
    if (operation.into.empty()) {
      lent = LentBytes(pool_, id, into.first(got.ok() && *got ? **got : 0));
    }
    if (!got.ok()) return Completion{.error = got.error().code};
    if (!*got) return again(flight, {.error = {ECANCELED, errno_category()}});
    completion.count = **got;
    if (completion.count > 0) completion.data = std::move(lent);
    return completion;
  }
  // The end of a pipe is an error here.
  if (error == std::errc::broken_pipe) completion.error = {};
  completion.count = error ? 0 : count;
  if (const std::optional<std::uint32_t> id = std::exchange(flight.lent, std::nullopt)) {
    LentBytes lent(pool_, *id, pool_->bytes(*id).first(completion.count));
    if (completion.count > 0) completion.data = std::move(lent);
  }
  return completion;
}

std::optional<Completion> IocpProactor::end_send(Flight& flight, std::error_code error,
                                                 std::size_t count) {
  const Operation& operation = *flight.operation;
  flight.sent += count;
  std::size_t all = 0;
  for (const ByteView piece : operation.pieces) all += piece.size();
  const bool datagram = operation.is_socket && operation.address.size() != 0;
  if (error || flight.sent >= all || datagram) {
    return Completion{.count = flight.sent, .error = error};
  }
  return again(flight, {.count = flight.sent, .error = {ECANCELED, errno_category()}});
}

std::optional<Completion> IocpProactor::end_accept(Flight& flight, std::error_code error) {
  Operation& operation = *flight.operation;
  // The client went away before it was taken: that is no error of the listener.
  if (error == std::errc::connection_reset || error == std::errc::connection_aborted) {
    return again(flight, {.error = {ECANCELED, errno_category()}});
  }
  if (error) return Completion{.error = error};
  const auto listener = socket_of(operation);
  (void)::setsockopt(static_cast<SOCKET>(flight.accepted.get()), SOL_SOCKET,
                     SO_UPDATE_ACCEPT_CONTEXT, reinterpret_cast<const char*>(&listener),
                     sizeof listener);
  if (const Result<Endpoint> peer = os::peer_address(flight.accepted.get()); peer.ok()) {
    operation.address = *peer;
  }
  return Completion{.accepted = std::move(flight.accepted)};
}

Completion IocpProactor::end_connect(Flight& flight, std::error_code error) {
  const Operation& operation = *flight.operation;
  if (!error && flight.stream) {
    (void)::setsockopt(socket_of(operation), SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr, 0);
  }
  return Completion{.error = error};
}

std::optional<Completion> IocpProactor::end_poll(Flight& flight, std::error_code error) {
  Operation& operation = *flight.operation;
  if (error) return Completion{.error = error};
  using namespace os::afd;
  const ULONG events = flight.poll.handles[0].events;
  if ((events & kLocalClose) != 0) return Completion{.error = {EBADF, errno_category()}};
  const bool broken = (events & (kAbort | kConnectFail)) != 0;
  const bool readable = broken || (events & (kReceive | kDisconnect | kAccept)) != 0;
  const bool writable = broken || (events & kSend) != 0;
  if (!(operation.readable && readable) && !(operation.writable && writable)) {
    return again(flight, {.error = {ECANCELED, errno_category()}});
  }
  operation.readable = operation.readable && readable;
  operation.writable = operation.writable && writable;
  return Completion{};
}

void IocpProactor::complete(Flight& flight, Completion completion) {
  flights_.erase(&flight.overlapped);
  Operation& operation = *flight.operation;
  operation.in_flight.reset();
  operation.completed(std::move(completion));
}

void IocpProactor::arrived(const OVERLAPPED_ENTRY& entry) {
  if (entry.lpOverlapped == nullptr) return;  // wake()
  // Wine queues a packet also for some calls that have failed at once: theirs is over by then.
  const auto found = flights_.find(entry.lpOverlapped);
  if (found == flights_.end()) return;
  Flight& flight = *found->second;
  const auto status = static_cast<NTSTATUS>(flight.overlapped.Internal);
  if (status == os::afd::kPending) return;  // Of an earlier one at the same address.
  std::error_code error = flight.refused;
  flight.refused = {};
  if (!error && status < 0) error = code_of_status(status);
  if (std::optional<Completion> over = end(flight, error, flight.overlapped.InternalHigh)) {
    complete(flight, std::move(*over));
  }
}

// --- cancelling

void IocpProactor::request_cancel(Operation& operation) {
  if (!operation.in_flight) return;
  Flight& flight = flight_of(operation);
  if (std::exchange(flight.cancelled, true)) return;
  if (pipe_polls_.erase(&flight) != 0) {
    (void)post(flight, {ECANCELED, errno_category()});
  } else if (operation.kind == Operation::Kind::poll) {
    os::afd::cancel(os::handle_of(driver_.get()), flight.overlapped);
  } else {
    // Nothing is found where it has completed meanwhile: the packet is in the port then.
    (void)::CancelIoEx(handle_of(operation), &flight.overlapped);
  }
}

IocpProactor::~IocpProactor() {
  for (const auto& [address, flight] : flights_) request_cancel(*flight->operation);
  while (!flights_.empty()) {
    std::array<OVERLAPPED_ENTRY, 64> entries;
    ULONG count = 0;
    if (::GetQueuedCompletionStatusEx(port(), entries.data(), static_cast<ULONG>(entries.size()),
                                      &count, INFINITE, FALSE) == 0) {
      break;
    }
    for (ULONG i = 0; i < count; ++i) {
      if (entries[i].lpOverlapped == nullptr) continue;
      const auto found = flights_.find(entries[i].lpOverlapped);
      if (found == flights_.end()) continue;
      if (static_cast<NTSTATUS>(found->first->Internal) == os::afd::kPending) continue;
      Operation& operation = *found->second->operation;
      flights_.erase(found);
      operation.in_flight.reset();
    }
  }
}

// --- waiting

/// Pipes cannot be waited for without reading them; they are looked at.
void IocpProactor::look_at_pipes() {
  std::vector<Flight*> ready;
  for (Flight* flight : pipe_polls_) {
    DWORD waiting = 0;
    const bool looks =
        ::PeekNamedPipe(handle_of(*flight->operation), nullptr, 0, nullptr, &waiting, nullptr) != 0;
    const DWORD error = looks ? NO_ERROR : ::GetLastError();
    // What may not be read is the writing end: it is ready for reading when its reader has gone.
    const bool gone = error == ERROR_ACCESS_DENIED ? os::reader_has_gone(flight->operation->fd)
                                                   : error != NO_ERROR;
    const bool readable = gone || waiting > 0;
    if (flight->operation->readable && readable) {
      ready.push_back(flight);
    }
  }
  for (Flight* flight : ready) {
    pipe_polls_.erase(flight);
    complete(*flight, {});
  }
}

Result<void> IocpProactor::wait(std::optional<Duration> timeout) {
  const std::optional<TimePoint> end =
      timeout ? std::optional(saturating_add(now(), *timeout)) : std::nullopt;
  std::array<OVERLAPPED_ENTRY, 128> entries;
  while (true) {
    look_at_pipes();
    std::optional<Duration> rest;
    if (end) rest = std::max(Duration::zero(), *end - now());
    if (!pipe_polls_.empty()) rest = std::min(rest.value_or(kLookAtPipes), kLookAtPipes);
    constexpr Duration kLongest = std::chrono::hours(24);
    const DWORD limit =
        rest ? static_cast<DWORD>(
                   std::chrono::ceil<std::chrono::milliseconds>(std::min(*rest, kLongest)).count())
             : INFINITE;
    ULONG count = 0;
    if (::GetQueuedCompletionStatusEx(port(), entries.data(), static_cast<ULONG>(entries.size()),
                                      &count, limit, FALSE) == 0) {
      if (::GetLastError() != WAIT_TIMEOUT) return os::windows_error("GetQueuedCompletionStatusEx");
      const std::size_t polls = pipe_polls_.size();
      look_at_pipes();
      if (polls != pipe_polls_.size() || (end && now() >= *end)) return {};
      continue;
    }
    woken_.store(false);
    for (ULONG i = 0; i < count; ++i) arrived(entries[i]);
    // What is there already comes in the same turn, as from a queue that is read to its end.
    for (int more = 0; more < kMostBatches && count == entries.size(); ++more) {
      if (::GetQueuedCompletionStatusEx(port(), entries.data(), static_cast<ULONG>(entries.size()),
                                        &count, 0, FALSE) == 0) {
        break;
      }
      for (ULONG i = 0; i < count; ++i) arrived(entries[i]);
    }
    return {};
  }
}

Result<std::unique_ptr<Proactor>> make_iocp_proactor(const LoopOptions&) {
  os::UniqueFd port(
      os::checked_native(::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 1)));
  if (!port) return os::windows_error("CreateIoCompletionPort");
  Result<os::UniqueFd> driver = os::afd::open();
  if (!driver.ok()) return driver.error();
  if (::CreateIoCompletionPort(os::handle_of(driver->get()), os::handle_of(port.get()), 3, 0) ==
      nullptr) {
    return os::windows_error("CreateIoCompletionPort", "the driver of Winsock");
  }
  return std::unique_ptr<Proactor>(
      std::make_unique<IocpProactor>(std::move(port), std::move(driver).value()));
}

std::span<const Absence> iocp_absences() {
  static const std::vector<Absence> all = [] {
    std::vector<Absence> rows(kTlsAbsences.begin(), kTlsAbsences.end());
    rows.push_back({Cap::unix_sockets, "this build has no Unix sockets for Windows"});
    return rows;
  }();
  return all;
}

}  // namespace

namespace loops {
extern const LoopDescriptor iocp_loop{
    .name = "iocp",
    .family = Family::proactor,
    .mechanism = "I/O completion port, AFD polls",
    .native = kProactorCaps.without({Cap::unix_sockets}) | kTlsCaps,
    .absences = iocp_absences(),
    .make = make_proactor_loop<make_iocp_proactor>};
}  // namespace loops
}  // namespace loopscope
