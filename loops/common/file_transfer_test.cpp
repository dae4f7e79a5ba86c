// Tests of the arithmetic of file ranges, and of a transfer's two ways over a socket pair.
#include "loops/common/file_transfer.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include "loops/os/file.hpp"
#include "loops/os/pipe.hpp"

using namespace loopscope;

// Goal: counts and positions stay exact at every border, the 32-bit ones among them. Method: one
// table; each row is sent in pieces of the given sizes until nothing is left.
TEST_CASE("a range is cut into pieces that add up to it exactly") {
  struct Row {
    const char* what;
    std::uint64_t offset;
    std::optional<std::uint64_t> count;
    std::size_t limit;
    std::uint64_t pieces;  // of full size, before the last one
    std::size_t last;
  };
  constexpr std::uint64_t kGiB = 1ull << 30;
  constexpr Row kRows[] = {
      {"nothing", 7, 0, 100, 0, 0},
      {"less than a piece", 7, 99, 100, 0, 99},
      {"a piece", 7, 100, 100, 0, 100},
      {"one byte more", 7, 101, 100, 1, 1},
      {"beyond 2 GiB", 0, 2 * kGiB + 1, kGiB, 2, 1},
      {"beyond 4 GiB", 4 * kGiB - 1, 4 * kGiB + 2, kGiB, 4, 2},
      {"up to the last offset", os::kMaxFileOffset - 5, 5, 100, 0, 5},
  };
  for (const Row& row : kRows) {
    CAPTURE(row.what);
    RangeProgress progress(row.offset, row.count);
    for (std::uint64_t i = 0; i < row.pieces; ++i) {
      CHECK(progress.next(row.limit) == row.limit);
      progress.advance(row.limit);
    }
    CHECK(progress.next(row.limit) == row.last);
    progress.advance(row.last);
    CHECK(progress.complete());
    CHECK(progress.next(row.limit) == 0);
    CHECK(progress.sent() == *row.count);
    CHECK(progress.position() == row.offset + *row.count);
  }
}

TEST_CASE("a range without a count goes on up to the last offset that a file can have") {
  RangeProgress progress(os::kMaxFileOffset - 150, std::nullopt);
  CHECK(progress.next(100) == 100);
  progress.advance(100);
  CHECK(!progress.complete());
  CHECK(progress.next(100) == 50);
}

TEST_CASE("ranges that no file can have are refused, with the numbers") {
  const auto refused = [](std::uint64_t offset, std::optional<std::uint64_t> count) {
    const Result<void> checked =
        check_range("sendfile", {.file = 0, .offset = offset, .count = count});
    return !checked.ok() && checked.error().is(Errc::invalid_argument);
  };
  constexpr std::uint64_t kMinusOne = ~0ull;
  CHECK(refused(kMinusOne, std::nullopt));
  CHECK(refused(os::kMaxFileOffset + 1, 0));
  CHECK(refused(1, os::kMaxFileOffset));
  CHECK(refused(0, kMinusOne));
  CHECK(!refused(os::kMaxFileOffset, 0));
  CHECK(!refused(0, os::kMaxFileOffset));
  CHECK(!refused(0, std::nullopt));
}

namespace {

/// Takes at most seven bytes a call, as a nearly full socket does.
Result<os::Transfer> send_seven(os::NativeSocket out, ByteView data) {
  return os::send(out, data.first(std::min<std::size_t>(data.size(), 7)));
}

/// What a transfer of this process's own status (which has no pages to share) or of a plain file
/// puts into a socket.
std::string transferred(os::NativeSocket file, std::uint64_t offset, std::size_t count) {
  auto pair = os::open_socketpair(SocketType::stream);
  REQUIRE(pair.ok());
  auto transfer = FileTransfer::make("test", {.file = file, .offset = offset, .count = count});
  REQUIRE(transfer.ok());
  for (;;) {
    const Result<bool> over = transfer->step(pair->first.get(), send_seven);
    REQUIRE(over.ok());
    if (*over) break;
  }
  CHECK(transfer->sent() == count);
  Bytes got(count + 1);
  const Result<os::Transfer> received = os::recv(pair->second.get(), got);
  REQUIRE(received.ok());
  got.resize(**received);
  return text(got);
}

}  // namespace

TEST_CASE("a file without pages is read and sent, in pieces, with nothing lost or repeated") {
  const auto file = os::open_path("/proc/self/status");
  REQUIRE(file.ok());
  CHECK(transferred(file->get(), 0, 6) == "Name:\t");
  CHECK(transferred(file->get(), 2, 4) == "me:\t");
  CHECK(transferred(file->get(), 0, 40).size() == 40);
}

TEST_CASE("the system's own transfer takes a range and leaves the rest") {
  const auto file = os::open_path("/proc/self/exe");
  REQUIRE(file.ok());
  CHECK(transferred(file->get(), 1, 3) == "ELF");
}

// Goal: as few reads as the reader's appetite allows. Method: a file without pages to share, of
// which each eight bytes are an entry, and a send that takes all until its fourth piece.
TEST_CASE("what is read grows with each piece that is taken whole, and begins anew after others") {
  static std::vector<std::size_t> offered;
  offered.clear();
  const auto send = [](os::NativeSocket, ByteView data) -> Result<os::Transfer> {
    offered.push_back(data.size());
    return offered.size() == 4 ? 8 : data.size();
  };
  const auto file = os::open_path("/proc/self/pagemap");
  REQUIRE(file.ok());
  auto pair = os::open_socketpair(SocketType::stream);
  REQUIRE(pair.ok());
  constexpr std::size_t kPiece = FileTransfer::kReadPiece;
  auto transfer = FileTransfer::make("test", {.file = file->get(), .count = 8 * kPiece + 16});
  REQUIRE(transfer.ok());
  for (bool over = false; !over;) {
    const Result<bool> stepped = transfer->step(pair->first.get(), send);
    REQUIRE(stepped.ok());
    over = *stepped;
  }
  CHECK(offered ==
        std::vector<std::size_t>{kPiece, 2 * kPiece, 4 * kPiece, kPiece + 16, kPiece, 8});
  CHECK(transfer->sent() == 8 * kPiece + 16);
}

TEST_CASE("without a fallback the refusal is reported, and it is the source's") {
  auto pair = os::open_socketpair(SocketType::stream);
  REQUIRE(pair.ok());
  const auto file = os::open_path("/proc/self/status");
  REQUIRE(file.ok());
  auto transfer = FileTransfer::make("test", {.file = file->get(), .fallback = false});
  REQUIRE(transfer.ok());
  const Result<bool> stepped = transfer->step(pair->first.get(), os::send);
  REQUIRE(!stepped.ok());
  CHECK(stepped.error().is(Errc::not_supported));
  CHECK(transfer->source_failed());
}

TEST_CASE("what cannot be read at an offset is refused by name before anything is sent") {
  auto pipe = os::open_pipe();
  REQUIRE(pipe.ok());
  const auto refusal = [](os::NativeSocket fd) {
    const auto made = FileTransfer::make("test", {.file = fd});
    return made.ok() ? std::string("accepted") : to_string(made.error()).substr(0, 13);
  };
  CHECK(refusal(pipe->read.get()) == "pread: ESPIPE");
  CHECK(refusal(os::kInvalid) == "pread: EBADF ");
  const auto directory = os::open_path("/");
  REQUIRE(directory.ok());
  CHECK(refusal(directory->get()) == "pread: EISDIR");
}
