// Pipes, terminals and what a descriptor is, without a platform header.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "loops/base/bytes.hpp"
#include "loops/base/result.hpp"
#include "loops/os/fd.hpp"
#include "loops/os/net.hpp"

namespace loopscope::os {

enum class FdKind : std::uint8_t { regular, directory, pipe, socket, terminal, character, other };

struct Pipe {
  UniqueFd read, write;
};
/// Close-on-exec, blocking.
Result<Pipe> open_pipe();
/// Does a pipe read as if it had ended while nobody has opened it for writing yet? A FIFO does.
extern const bool kReadsAsEndedBeforeWriter;
struct Pty {
  UniqueFd master, slave;
};
/// A pseudo-terminal pair, close-on-exec, not the controlling terminal. raw: no line editing.
Result<Pty> open_pty(bool raw);
Result<void> make_fifo(const std::string& path);
Result<FdKind> kind_of(NativeSocket fd);
/// read(2); zero is the end. EIO of a terminal whose other side is closed is returned as EIO.
Result<Transfer> read(NativeSocket fd, std::span<std::byte> buffer);
/// write(2) that ends in EPIPE and never in SIGPIPE: the signal is held back for this call.
Result<Transfer> write(NativeSocket fd, ByteView data);
/// The same for several pieces in one call, at most kMostPieces of them.
Result<Transfer> writev(NativeSocket fd, std::span<const ByteView> pieces);
/// Was it opened for writing and not for reading?
Result<bool> is_write_only(NativeSocket fd);
/// Has the reader of this writing end gone? For Windows, where pipes have no readiness.
bool reader_has_gone(NativeSocket pipe);
Result<UniqueFd> duplicate(NativeSocket fd);

}  // namespace loopscope::os
