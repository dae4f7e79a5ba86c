// Ported programs: sendfile and sock_sendfile. What they check: test_sendfile.py.
#include "ci/ported/peers.hpp"
#include "harness/tools/descriptor_tools.hpp"

namespace loopscope::ported::files {
namespace {

/// A file of this program with recognisable content.
struct File {
  explicit File(Stage& s, std::string content = "0123456789")
      : fd(tools::create_file(s.folder() + "/file", content)) {}
  FileRange range(std::uint64_t offset = 0, std::optional<std::uint64_t> count = {},
                  bool fallback = true) const {
    return {.file = fd.get(), .offset = offset, .count = count, .fallback = fallback};
  }
  os::UniqueFd fd;
};

void sock_whole(Stage& s) {
  const File file(s);
  auto [ours, peer] = s.pair();
  s.say("sent", s.finish(s.loop().sock_sendfile(ours, file.range())));
  s.say("peer has", peer.recv_exactly(10));
}

void sock_part(Stage& s) {
  const File file(s);
  auto [ours, peer] = s.pair();
  s.say("sent", s.finish(s.loop().sock_sendfile(ours, file.range(2, 5))));
  s.say("peer has", peer.recv_exactly(5));
  s.say("past the end", s.finish(s.loop().sock_sendfile(ours, file.range(8, 100))));
  s.say("peer has", peer.recv_exactly(2));
  s.say("behind the end", s.finish(s.loop().sock_sendfile(ours, file.range(50))));
}

void sock_empty(Stage& s) {
  const File file(s, "");
  auto [ours, peer] = s.pair();
  s.say("sent", s.finish(s.loop().sock_sendfile(ours, file.range())));
  peer.send("x");
  s.say("usable", s.finish(s.loop().sock_recv(ours, 1)));
}

void sock_mixed(Stage& s) {
  const File file(s);
  auto [ours, peer] = s.pair();
  s.say(s.finish(s.loop().sock_sendall(ours, bytes("before "))));
  s.say("sent", s.finish(s.loop().sock_sendfile(ours, file.range())));
  s.say(s.finish(s.loop().sock_sendall(ours, bytes(" after"))));
  s.say("peer has", peer.recv_exactly(23));
}

void on_a_transport(Stage& s) {
  const File file(s);
  Connected c = connected(s);
  c.transport->write(view("before "));
  s.say("sent", s.finish(s.loop().sendfile(c.transport, file.range())));
  c.transport->write(view(" after"));
  s.until_there(c.peer, 23);
  s.say("peer has", c.peer.recv_exactly(23));
  c.transport->close();
  s.turn(2);
}

void part_on_a_transport(Stage& s) {
  const File file(s);
  Connected c = connected(s);
  s.say("sent", s.finish(s.loop().sendfile(c.transport, file.range(3, 4))));
  s.say("peer has", c.peer.recv_exactly(4));
  s.say("past the end", s.finish(s.loop().sendfile(c.transport, file.range(9, 4))));
  s.say("peer has", c.peer.recv_exactly(1));
}

void on_a_closing_transport(Stage& s) {
  const File file(s);
  Connected c = connected(s);
  c.transport->close();
  s.say(s.finish(s.loop().sendfile(c.transport, file.range())));
  s.turn(2);
}

void not_a_file(Stage& s) {
  os::Pipe pipe = std::move(os::open_pipe().value());
  auto [ours, peer] = s.pair();
  const FileRange range{.file = pipe.read.get(), .fallback = false};
  s.say("sent", s.loop().run_until_complete(s.loop().sock_sendfile(ours, range)).ok());
}

void large(Stage& s) {
  const File file(s, std::string(3'000'000, 'x'));
  Connected c = connected(s);
  auto sent = s.loop().sendfile(c.transport, file.range());
  std::size_t got = 0;
  while (got < 3'000'000) {
    while (tools::readable(c.peer.native())) got += c.peer.recv(1'000'000).size();
    s.turn();
  }
  s.say("sent", s.finish(sent), "got", got);
}

void peer_leaves(Stage& s) {
  const File file(s, std::string(8'000'000, 'x'));
  auto [transport, peer] = connect(s, std::make_shared<Protocol>());  // It stays quiet.
  auto sent = s.loop().sendfile(transport, file.range());
  s.turn(2);
  s.until_there(peer, 1);
  s.say("peer has", peer.recv(1).size());
  peer.reset();
  s.say("failed", !s.loop().run_until_complete(sent).ok());
}

constexpr Program kPrograms[] = {
    {"sendfile.sock_whole", sock_whole},
    {"sendfile.sock_part", sock_part},
    {"sendfile.sock_empty", sock_empty},
    {"sendfile.sock_mixed", sock_mixed},
    {"sendfile.on_a_transport", on_a_transport},
    {"sendfile.part_on_a_transport", part_on_a_transport},
    {"sendfile.on_a_closing_transport", on_a_closing_transport},
    {"sendfile.not_a_file", not_a_file},
    {"sendfile.large", large},
    {"sendfile.peer_leaves", peer_leaves},
};

}  // namespace
extern const Programs programs{kPrograms};
}  // namespace loopscope::ported::files
