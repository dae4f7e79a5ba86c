// Tests of io_uring proactors that go from thread to thread and into forked children.
#include <fcntl.h>

#include <atomic>
#include <future>
#include <semaphore>
#include <thread>

#include "loops/proactor/io_uring_testing.hpp"

using namespace loopscope;
using namespace loopscope::uring;

namespace {

/// Another thread that lives on: it runs what it is given, and then sleeps until more comes.
class Elsewhere {
 public:
  Elsewhere() : thread_([this] { work(); }) {}
  ~Elsewhere() {
    run([this] { over_ = true; });
    thread_.join();
  }
  /// Returns when the thread has run it.
  void run(std::function<void()> job) {
    job_ = std::move(job);
    std::future<void> done = (done_ = {}).get_future();
    go_.release();
    done.get();
  }

 private:
  void work() {
    while (!over_) {
      go_.acquire();
      job_();
      done_.set_value();
    }
  }
  std::binary_semaphore go_{0};
  std::promise<void> done_;
  std::function<void()> job_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace

TEST_CASE("made here, run there, and run again elsewhere, without a byte lost") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    const Sockets sockets;
    const Listener listener;
    const os::Pipe pipe = std::move(os::open_pipe().value());
    Asked receive(Kind::receive, sockets.ours.get()), accept(Kind::accept, listener.fd.get());
    Asked reads(Kind::receive, pipe.read.get()), poll(Kind::poll, sockets.theirs.get());
    receive.repeats = accept.repeats = reads.repeats = true;
    reads.is_socket = false;
    poll.readable = true;
    for (Asked* asked : {&receive, &accept, &reads, &poll}) REQUIRE(proactor->submit(*asked).ok());
    std::string said;
    Elsewhere one, other;
    std::vector<os::UniqueFd> clients;
    const auto say = [&](std::string_view words) {
      sockets.say(words);
      REQUIRE(::write(pipe.write.get(), words.data(), words.size()) ==
              static_cast<ssize_t>(words.size()));
      clients.push_back(listener.connect());
      said += words;
    };
    const auto hear = [&] {
      until(*proactor, [&] {
        return receive.received.size() == said.size() && reads.received.size() == said.size() &&
               accept.accepted.size() == clients.size();
      });
    };
    for (int i = 0; i < 3; ++i) {
      for (const auto& run : {std::function<void(std::function<void()>)>(
                                  [&](std::function<void()> job) { one.run(std::move(job)); }),
                              std::function<void(std::function<void()>)>(
                                  [&](std::function<void()> job) { other.run(std::move(job)); }),
                              std::function<void(std::function<void()>)>(
                                  [&](std::function<void()> job) { std::thread(job).join(); }),
                              std::function<void(std::function<void()>)>(
                                  [&](std::function<void()> job) { job(); })}) {
        say("while nobody waits,");
        run([&] {
          say("at once,");
          hear();
          settle(*proactor);
          // Completed by the kernel, and not looked at by this thread any more.
          say("for the next one,");
          REQUIRE(proactor->flush().ok());
        });
      }
    }
    hear();
    CHECK(bool(receive.received == said));
    CHECK(bool(reads.received == said));
    for (const Asked* asked : {&receive, &accept, &reads, &poll}) CHECK_FALSE(asked->over());
    proactor->request_cancel(receive);
    finish(*proactor, receive);
    CHECK(receive.error == ECANCELED);
    proactor.reset();
  }
}

TEST_CASE("what did not fit into the queue is there for whoever waits next") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level, {.submissions = 64, .completions = 64});
    std::vector<Sockets> sockets(300);
    std::vector<std::unique_ptr<Asked>> receives;
    for (const Sockets& pair : sockets) {
      pair.say("something");
      receives.push_back(std::make_unique<Asked>(Kind::receive, pair.ours.get()));
      REQUIRE(proactor->submit(*receives.back()).ok());
    }
    const auto heard = [&] {
      return std::all_of(receives.begin(), receives.end(),
                         [](const auto& asked) { return asked->received == "something"; });
    };
    while (!heard()) {
      std::thread([&] { REQUIRE(proactor->wait(Duration::zero()).ok()); }).join();
      REQUIRE(proactor->wait(Duration::zero()).ok());
    }
  }
}

TEST_CASE("what another thread asked for can be cancelled and closed here") {
  for (const UringLevel level : kLevels) {
    for (const bool lives : {true, false}) {
      CAPTURE(name(level));
      CAPTURE(lives);
      auto proactor = made(level);
      Sockets sockets;
      Asked receive(Kind::receive, sockets.ours.get());
      receive.repeats = true;
      REQUIRE(proactor->submit(receive).ok());
      auto other = std::make_unique<Elsewhere>();
      other->run([&] { settle(*proactor); });
      if (!lives) other.reset();
      proactor->request_cancel(receive);
      REQUIRE(proactor->flush().ok());
      sockets.ours.reset();
      std::string heard = sockets.hear();
      // What was cancelled ends in the thread that asked for it, once that is woken for it, or in a
      // worker of the kernel where that thread has ended. Either drops the last reference.
      while (heard == "nothing") heard = sockets.hear();
      CHECK(heard == "");
      finish(*proactor, receive);
      CHECK(receive.error == ECANCELED);
      CHECK(receive.ends == 1);
    }
  }
}

TEST_CASE("a long send goes on from thread to thread") {
  const std::string words(3'000'000, 'w');
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    const Sockets sockets;
    Asked send(Kind::send, sockets.ours.get());
    send.pieces = {view(words)};
    REQUIRE(proactor->submit(send).ok());
    std::size_t heard = 0;
    Elsewhere other;
    for (int i = 0; !send.over() || heard < words.size(); ++i) {
      const auto some = [&] {
        for (int rounds = 0; rounds < 20; ++rounds) {
          REQUIRE(proactor->wait(Duration::zero()).ok());
          const std::string part = sockets.hear();
          if (part != "nothing") heard += part.size();
        }
      };
      if (i % 2 == 0) {
        other.run(some);
      } else {
        some();
      }
    }
    CHECK(heard == words.size());
    CHECK(send.moved == words.size());
  }
}

TEST_CASE("a splice that moved bytes when its ring was left says so") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    const os::UniqueFd file(std::move(os::open_path("/proc/self/exe").value()));
    for (int i = 0; i < 5; ++i) {
      auto proactor = made(level);
      const os::Pipe pipe = std::move(os::open_pipe().value());
      Asked load(Kind::splice, file.get());
      load.to = pipe.write.get();
      load.offset = 0;
      load.count = 10'000;
      REQUIRE(proactor->submit(load).ok());
      Elsewhere other;
      other.run([&] { REQUIRE(proactor->wait(Duration::zero()).ok()); });
      finish(*proactor, load);
      CHECK(load.error == 0);
      CHECK(load.moved == 10'000);
      REQUIRE(os::set_blocking(pipe.read.get(), false).ok());
      std::vector<std::byte> buffer(65536);
      CHECK(::read(pipe.read.get(), buffer.data(), buffer.size()) == 10'000);
    }
  }
}

TEST_CASE("a wake-up is noticed by whoever waits") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    Elsewhere other;
    for (int i = 0; i < 5; ++i) {
      proactor->wake();
      REQUIRE(proactor->wait(std::nullopt).ok());
      proactor->wake();
      other.run([&] { REQUIRE(proactor->wait(std::nullopt).ok()); });
      std::thread waker([&] { proactor->wake(); });
      REQUIRE(proactor->wait(std::nullopt).ok());
      waker.join();
    }
  }
}

TEST_CASE("a forked child has a ring of its own, and the parent keeps its") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    const Sockets parents, both;
    const Listener listener;
    Asked receive(Kind::receive, parents.ours.get()), poll(Kind::poll, both.ours.get());
    Asked accept(Kind::accept, listener.fd.get());
    receive.repeats = accept.repeats = poll.readable = true;
    for (Asked* asked : {&receive, &poll, &accept}) REQUIRE(proactor->submit(*asked).ok());
    settle(*proactor);
    const int ring = proactor->descriptor();
    proactor->request_cancel(accept);  // asked for and not given: it ends in both
    const int code = in_child([&] {
      if (::fcntl(ring, F_GETFD) != -1 || proactor->descriptor() != os::kInvalid) return 1;
      (void)proactor->flush();
      // Bytes would go to one of both, an event goes to either.
      both.say("x");
      while (!poll.over()) {
        if (!proactor->wait(std::nullopt).ok()) return 2;
      }
      const Sockets childs;
      Asked reads(Kind::receive, childs.ours.get());
      if (!proactor->submit(reads).ok()) return 7;
      childs.say("to the child");
      while (!reads.over()) {
        if (!proactor->wait(std::nullopt).ok()) return 8;
      }
      if (reads.received != "to the child") return 9;
      while (!accept.over()) {
        if (!proactor->wait(std::nullopt).ok()) return 3;
      }
      proactor->wake();
      if (!proactor->wait(std::nullopt).ok()) return 4;
      proactor->request_cancel(receive);
      while (!receive.over()) {
        if (!proactor->wait(std::nullopt).ok()) return 5;
      }
      if (receive.error != ECANCELED || accept.error != ECANCELED) return 6;
      proactor.reset();
      return 0;
    });
    CHECK(code == 0);
    CHECK(proactor->descriptor() == ring);
    parents.say("to the parent");
    until(*proactor, [&] { return receive.received == "to the parent"; });
    finish(*proactor, accept);
    CHECK(accept.error == ECANCELED);
    finish(*proactor, poll);
    CHECK_FALSE(receive.over());
    proactor.reset();
  }
}

TEST_CASE("a child that only destroys a proactor does nothing to the parent's") {
  for (const UringLevel level : kLevels) {
    CAPTURE(name(level));
    auto proactor = made(level);
    const Sockets sockets;
    Asked receive(Kind::receive, sockets.ours.get());
    receive.repeats = true;
    REQUIRE(proactor->submit(receive).ok());
    settle(*proactor);
    CHECK(in_child([&] {
            proactor.reset();
            return receive.times;
          }) == 0);
    sockets.say("still here");
    until(*proactor, [&] { return receive.received == "still here"; });
    // Nor does one that lives on with its copy keep a thread from taking over.
    const os::Pipe hold = std::move(os::open_pipe().value());
    // By its number: the parent's owner may have given it up by the time of the fork.
    const int write_end = hold.write.get();
    std::thread child([&] {
      CHECK(in_child([&] {
              (void)::close(write_end);
              char nothing = 0;
              return static_cast<int>(::read(hold.read.get(), &nothing, 1));
            }) == 0);
    });
    sockets.say(", and here");
    std::thread([&] {
      until(*proactor, [&] { return receive.received == "still here, and here"; });
    }).join();
    const_cast<os::UniqueFd&>(hold.write).reset();
    child.join();
    proactor.reset();
  }
}
