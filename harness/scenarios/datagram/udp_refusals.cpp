// Datagram endpoints: sockets and addresses that cannot be used, each refused by its name.
#include <cerrno>

#include "harness/scenario.hpp"
#include "harness/scenarios/connections.hpp"
#include "harness/scenarios/steps.hpp"

namespace loopscope::scenarios::udp_refusals {
namespace {

/// create_datagram_endpoint has to fail, by name, without telling the protocol.
Error refusal(Context& cx, DatagramOptions options, std::string_view what) {
  const auto seen = std::make_shared<DatagramRecorder>(cx);
  const auto made = cx.loop().create_datagram_endpoint([&] { return seen; }, std::move(options));
  const Result<DatagramLink> link = outcome(cx, made, "a refusal comes at once");
  cx.refused(link, what);
  cx.is_true(!link.error().op.empty(), std::string(what) + ": the failing call is named");
  cx.is_true(error_name(link.error().code).rfind("errno", 0) != 0,
             std::string(what) + ": the error has a name");
  cx.is_true(seen->transport == nullptr, std::string(what) + ": no connection_made");
  return link.error();
}
DatagramOptions with(Socket& socket) {
  DatagramOptions options;
  options.sock = &socket;
  return options;
}
DatagramOptions bound_to(const Endpoint& address) {
  DatagramOptions options;
  options.local_addr = address;
  return options;
}

void bad_sockets(Context& cx) {
  Socket closed, stream = cx.stream_pair().subject, pipe(std::move(cx.pipe().write));
  const std::vector<os::NativeSocket> before = cx.open_descriptors();
  refusal(cx, with(closed), "a closed socket");
  refusal(cx, with(stream), "a stream socket");
  refusal(cx, with(pipe), "a pipe");
  refusal(cx, DatagramOptions(), "neither an address nor a socket");
  cx.equal(cx.open_descriptors(), before, "open descriptors: a refused socket stays the caller's");
  cx.is_true(open_endpoint(cx).transport != nullptr, "the loop goes on");
}

void bad_addresses(Context& cx) {
  DatagramPeer taken = cx.datagram_peer();
  const std::string name(cx.temp_path("taken"));
  const os::UniqueFd other =
      ours(os::open_socket(AddressFamily::unix_domain, SocketType::datagram));
  ours(os::bind(other.get(), ours(Endpoint::unix_path(name))));
  const std::vector<os::NativeSocket> before = cx.open_descriptors();
  const auto code = [&](DatagramOptions options, std::string_view what) {
    return error_name(refusal(cx, std::move(options), what).code);
  };
  cx.equal(code(bound_to(taken.address()), "a port in use"), "EADDRINUSE", "a port in use");
  cx.equal(code(bound_to(ours(Endpoint::unix_path(name))), "a path in use"), "EADDRINUSE",
           "a path in use");
  cx.equal(code(bound_to(ours(Endpoint::unix_path(cx.temp_path("none/x")))), "no such folder"),
           "ENOENT", "a path in a folder that is not there");
  cx.equal(code(bound_to(ours(Endpoint::ip("203.0.113.77", 0))), "another host's address"),
           "EADDRNOTAVAIL", "an address of another host");
  DatagramOptions mixed = bound_to(Endpoint::loopback(AddressFamily::ipv4));
  mixed.remote_addr = Endpoint::loopback(AddressFamily::ipv6, 9);
  refusal(cx, std::move(mixed), "addresses of two families");
  DatagramOptions nobody;
  nobody.remote_addr = ours(Endpoint::unix_path(cx.temp_path("nobody")));
  cx.equal(code(std::move(nobody), "a path where nobody is"), "ENOENT", "a peer that is not there");
  cx.equal(cx.open_descriptors(), before, "the open descriptors");
  cx.is_true(open_endpoint(cx).transport != nullptr, "the loop goes on");
}

constexpr CapSet kNeeds{Cap::create_datagram_endpoint, Cap::native_socket};
constexpr std::string_view kApi[] = {"create_datagram_endpoint"};
constexpr std::chrono::milliseconds kLimit{4'000};

constexpr Scenario kScenarios[] = {
    {.id = "udp.bad_sockets",
     .promise = "An endpoint over anything but a datagram socket is refused by name.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_base_events.py"
               " test_create_datagram_endpoint_wrong_sock",
     .needs = kNeeds,
     .body = bad_sockets,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
    {.id = "udp.bad_addresses",
     .promise = "An address that cannot be had is refused with the system's error, and no leak.",
     .source = "POSIX.1-2017 bind() and connect(), ERRORS",
     .needs = kNeeds,
     .body = bad_addresses,
     .authority = Authority::posix,
     .severity = Severity::common,
     .api = kApi,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A11", "UDP", kScenarios};
}  // namespace loopscope::scenarios::udp_refusals
