// Unix servers: their paths and names, and the files that they leave or do not leave.
#include <cerrno>
#include <filesystem>

#include "harness/scenario.hpp"
#include "harness/scenarios/serving.hpp"
#include "loops/os/socket_file.hpp"

namespace loopscope::scenarios::unix_servers {
namespace {

bool socket_at(const std::string& path) { return os::socket_file_at(path).has_value(); }
Endpoint named(const std::string& path) { return ours(Endpoint::unix_path(path)); }

/// Binds a socket to the path and closes it, so that its file is left behind.
void leave_socket(const std::string& path) {
  const Socket once = ours(Socket::make(AddressFamily::unix_domain, SocketType::stream));
  ours(os::bind(once.native(), named(path)));
}

/// create_unix_server is refused and leaves no descriptor; the error.
Error is_refused(Context& cx, UnixServerOptions options, std::string_view what) {
  Serving never(cx);
  const std::size_t before = cx.open_descriptors().size();
  const auto made = cx.loop().create_unix_server(never.factory(), std::move(options));
  const Result<std::shared_ptr<Server>> result = outcome(cx, made, what);
  cx.refused(result, what);
  turn(cx, 3);
  cx.equal(cx.open_descriptors().size(), before, std::string("descriptors after ").append(what));
  return result.error();
}
UnixServerOptions at(std::string path) {
  UnixServerOptions options;
  options.path = std::move(path);
  return options;
}

void stale_files(Context& cx) {
  const std::string stale = cx.temp_path("stale"), file = cx.temp_path("file");
  leave_socket(stale);
  Serving serving(cx);
  serving.open_unix(stale);
  Peer client = connect_to(named(stale));
  cx.equal(ask(cx, client, "x"), "x", "the answer at a path where a dead socket lay");

  const os::UniqueFd content = tools::create_file(file, "precious");
  const Error error = is_refused(cx, at(file), "a path where a regular file lies");
  cx.is_true(error.is_errno(EADDRINUSE), "the error is EADDRINUSE: " + to_string(error));
  cx.equal(take(tools::open_path(file, tools::Access::read).get()), "precious",
           "the file's content");
}

void cleaning_up(Context& cx) {
  const std::string own = cx.temp_path("own"), kept = cx.temp_path("kept"),
                    gone = cx.temp_path("gone"), replaced = cx.temp_path("replaced");
  Serving serving(cx), keeping(cx), losing(cx), replacing(cx);
  serving.open_unix(own);
  UnixServerOptions options = at(kept);
  options.cleanup_socket = false;
  keeping.open_unix(std::move(options));
  losing.open_unix(gone);
  replacing.open_unix(replaced);
  std::filesystem::remove(gone);
  std::filesystem::remove(replaced);
  leave_socket(replaced);

  for (Serving* each : {&serving, &keeping, &losing, &replacing}) each->server->close();
  cx.is_true(!socket_at(own), "the server's own file is removed");
  cx.is_true(socket_at(kept), "a server that is told to leave it leaves it");
  cx.is_true(socket_at(replaced), "a file that took its place stays");
  turn(cx, 3);
  serving.open_unix(gone);
  serving.server->close();
}

void too_long(Context& cx) {
  const std::string path = cx.temp_dir() + "/" + std::string(120, 'p');
  const Error server = is_refused(cx, at(path), "a path of more than 108 bytes");
  cx.is_true(server.is_errno(ENAMETOOLONG), "the error is ENAMETOOLONG: " + to_string(server));
  cx.is_true(to_string(server).find(path) != std::string::npos, "the error names the path");
  const std::size_t before = cx.open_descriptors().size();
  UnixConnectOptions options;
  options.path = path;
  const auto made =
      cx.loop().create_unix_connection([] { return std::make_shared<Protocol>(); }, options);
  const Result<Link> client = outcome(cx, made, "create_unix_connection");
  cx.refused(client, system_code(ENAMETOOLONG), "connecting to it");
  cx.is_true(to_string(client.error()).find(path) != std::string::npos, "the error names it too");
  cx.equal(cx.open_descriptors().size(), before, "descriptors after both");
}

void full_length(Context& cx) {
  const std::string stem = cx.temp_dir() + "/";
  if (stem.size() >= 108) cx.skip("the temporary directory's name is too long");
  const std::string path = stem + std::string(108 - stem.size(), 'f');
  Serving serving(cx);
  serving.open_unix(path);
  cx.equal(serving.address().path(), path, "the path that the server tells");
  Peer client = connect_to(serving.address());
  cx.equal(ask(cx, client, "x"), "x", "the answer");
  cx.equal(ours(os::peer_address(client.native())).path(), path, "the path that the client sees");
  serving.server->close();
  cx.is_true(!socket_at(path), "the file is removed");
}

void abstract_names(Context& cx) {
  const std::string name = '\0' + cx.temp_dir() + '\0' + "tail";
  Serving serving(cx), shorter(cx);
  serving.open_unix(name);
  cx.equal(serving.address().path(), name, "the name that the server tells, NUL bytes and all");
  shorter.open_unix(name.substr(0, name.size() - 1));  // Another name: nothing is padded.
  Peer client = connect_to(named(name));
  cx.equal(ask(cx, client, "x"), "x", "the answer");
  cx.equal(serving.made, 1u, "clients of the longer name");
  cx.is_true(std::filesystem::is_empty(cx.temp_dir()), "no file is made");
  serving.server->close();
  cx.refused(try_connect(named(name)), system_code(ECONNREFUSED), "connecting after the close");
}

void name_of_the_system(Context& cx) {
  Socket unnamed = ours(Socket::make(AddressFamily::unix_domain, SocketType::stream));
  ours(os::bind(unnamed.native(), named("")));
  Serving serving(cx);
  UnixServerOptions options;
  options.sock = &unnamed;
  serving.open_unix(std::move(options));
  const std::string name = serving.address().path();
  cx.equal(name.size(), 6u, "bytes of the name: NUL and five digits");
  cx.equal(name.find_first_not_of("0123456789abcdef", 1), std::string::npos,
           "the first byte that is no hexadecimal digit");
  Peer client = connect_to(serving.address());
  cx.equal(ask(cx, client, "x"), "x", "the answer");
}

void wrong_types(Context& cx) {
  const std::string path = cx.temp_path("datagram");
  Socket datagram = ours(Socket::make(AddressFamily::unix_domain, SocketType::datagram));
  ours(os::bind(datagram.native(), named(path)));
  Socket inet = listening_socket();
  StreamPair connected = cx.stream_pair();
  UnixServerOptions options;
  for (Socket* wrong : {&datagram, &inet, &connected.subject}) {
    options.sock = wrong;
    (void)is_refused(cx, options, "a socket that no Unix server can have");
    cx.is_true(tools::is_open(wrong->native()), "it stays open");
  }
  options.path = cx.temp_path("both");
  (void)is_refused(cx, options, "a path and a socket");
  (void)is_refused(cx, UnixServerOptions{}, "neither a path nor a socket");
  (void)is_refused(cx, at(path), "the path of a datagram socket that lives");
  cx.is_true(socket_at(path), "its file stays");
  UnixConnectOptions client;
  Socket plain = ours(Socket::make(AddressFamily::unix_domain, SocketType::stream));
  for (Socket* wrong : {&datagram, &inet, &plain}) {
    client.sock = wrong;
    const auto made =
        cx.loop().create_unix_connection([] { return std::make_shared<Protocol>(); }, client);
    cx.refused(outcome(cx, made, "create_unix_connection"), "a socket that is no connection");
    cx.is_true(tools::is_open(wrong->native()), "it stays open");
  }
}

void records(Context& cx) {
  std::pair<os::UniqueFd, os::UniqueFd> pair = tools::seqpacket_pair();
  Socket socket(std::move(pair.first));
  UnixConnectOptions options;
  options.sock = &socket;
  const auto made =
      cx.loop().create_unix_connection([] { return std::make_shared<Protocol>(); }, options);
  cx.refused(outcome(cx, made, "create_unix_connection"), "a socket of records, not of a stream");
  cx.is_true(tools::is_open(socket.native()), "it stays open");
}

constexpr CapSet kNeeds{Cap::unix_sockets, Cap::native_socket};
constexpr std::string_view kServer[] = {"create_unix_server"};
constexpr std::string_view kConnect[] = {"create_unix_connection"};
constexpr std::string_view kBoth[] = {"create_unix_server", "create_unix_connection"};
constexpr std::string_view kDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.create_unix_server";

constexpr Scenario kScenarios[] = {
    {.id = "unix.path.stale_socket_removed",
     .promise = "A dead socket's file gives way to a new server; a regular file stays as it is.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_unix_events.py: "
               "test_create_unix_server_existing_path_sock, _nonsock",
     .needs = kNeeds,
     .body = stale_files,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kServer},
    {.id = "unix.path.cleanup_on_close",
     .promise = "close() removes the server's own file, not one that took its place, and none when "
                "it is told not to.",
     .source = kDoc,
     .needs = kNeeds,
     .body = cleaning_up,
     .severity = Severity::common,
     .api = kServer},
    {.id = "unix.path.too_long",
     .promise = "A path that does not fit is refused by its name, and nothing is opened.",
     .source = "man 7 unix, sun_path; github.com/Kludex/zuvloop: "
               "unix_server_rejects_an_unusable_path_before_opening_a_socket",
     .needs = kNeeds,
     .body = too_long,
     .level = Level::should,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kBoth},
    {.id = "unix.path.108_bytes",
     .promise = "A path of 108 bytes, without room for a NUL, is bound and told back whole.",
     .source = "man 7 unix, BUGS",
     .needs = kNeeds,
     .body = full_length,
     .level = Level::should,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kServer},
    {.id = "unix.abstract",
     .promise = "Abstract names keep their exact length and bytes, and make no file.",
     .source = "man 7 unix, Address format, abstract",
     .needs = kNeeds,
     .body = abstract_names,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kServer},
    {.id = "unix.autobind",
     .promise = "A server on a socket that the system named tells that name, and is found by it.",
     .source = "man 7 unix, Autobind feature",
     .needs = kNeeds,
     .body = name_of_the_system,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kServer},
    {.id = "unix.wrong_type_socket",
     .promise = "A socket that is no Unix stream is refused and stays the caller's, open.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_unix_events.py: "
               "test_create_unix_server_path_dgram, _path_inetsock",
     .needs = kNeeds,
     .body = wrong_types,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kBoth},
    {.id = "unix.seqpacket",
     .promise = "A socket of records is refused: a stream would lose their boundaries.",
     .source = "man 7 unix, SOCK_SEQPACKET; github.com/python/cpython/issues/114887",
     .needs = kNeeds,
     .body = records,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kConnect},
};

}  // namespace

extern const ScenarioFile file{"A10", "Unix sockets", kScenarios};
}  // namespace loopscope::scenarios::unix_servers
