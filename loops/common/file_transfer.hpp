// FileTransfer: a range of a file on its way into a descriptor, one piece at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "loops/base/bytes.hpp"
#include "loops/base/result.hpp"
#include "loops/options.hpp"

namespace loopscope {

/// How far a range has come. Pure. Precondition: check_range accepted it.
class RangeProgress {
 public:
  RangeProgress(std::uint64_t offset, std::optional<std::uint64_t> count)
      : offset_(offset), count_(count) {}

  /// The size of the next piece in bytes, at most `limit`; 0 when the count is reached.
  std::size_t next(std::size_t limit) const;
  /// Where in the file the next piece begins: offset plus bytes sent.
  std::uint64_t position() const { return offset_ + sent_; }
  std::uint64_t sent() const { return sent_; }
  bool complete() const { return count_ && sent_ >= *count_; }
  void advance(std::size_t bytes) { sent_ += bytes; }

 private:
  std::uint64_t offset_;
  std::optional<std::uint64_t> count_;
  std::uint64_t sent_ = 0;
};

/// errors  invalid_argument where the offset, or offset plus count, is beyond what a file can hold.
Result<void> check_range(std::string_view op, const FileRange& range);

/// After every piece the file's position is offset plus bytes sent, so that it is right however
/// the transfer ends. Several transfers may read one file at a time: none uses its position.
///
/// lifetime  The file is borrowed: it must stay open until the transfer is over or destroyed.
class FileTransfer {
 public:
  /// Bytes of one piece: small enough that a fast reader does not keep the loop at one transfer,
  /// and far below the 2 GiB at which kernels cap or refuse a call. A piece that is read begins
  /// with kReadPiece and grows to kNativePiece with what `out` takes whole.
  static constexpr std::size_t kNativePiece = 1024 * 1024;
  static constexpr std::size_t kReadPiece = 64 * 1024;
  /// Sends like os::send or os::write.
  using Send = Result<os::Transfer> (*)(os::NativeSocket out, ByteView data);

  /// Sets the file's position to the range's offset.
  /// errors  those of check_range; EBADF, EISDIR and ESPIPE of a file that cannot be read at an
  ///         offset: closed, not opened for reading, a directory, a pipe, a terminal.
  static Result<FileTransfer> make(std::string_view op, const FileRange& range);

  /// Sends the next piece, or what `out` takes of it now. Reads and sends where the system cannot
  /// transfer by itself and the range allows it.
  ///
  /// value   true: over, the count is reached or the file ends; false: try again when `out` is
  ///         writable.
  /// errors  not_supported without a fallback; those of reading the file and of writing to `out`:
  ///         source_failed() tells which.
  Result<bool> step(os::NativeSocket out, Send send);
  /// Was the error of the last step the file's own, so that `out` is as good as before?
  bool source_failed() const { return source_failed_; }

  /// Reads the next piece without sending it. Empty: over.
  Result<std::span<std::byte>> read(std::span<std::byte> buffer);
  /// `bytes` of what was read were sent.
  Result<void> advance(std::size_t bytes);
  std::uint64_t sent() const { return progress_.sent(); }

  // --- for a transfer that is made elsewhere, by operations of a proactor
  os::NativeSocket source() const { return file_; }
  std::uint64_t position() const { return progress_.position(); }
  std::size_t next(std::size_t limit) const { return progress_.next(limit); }
  bool complete() const { return progress_.complete(); }
  /// May it be read and sent where the system cannot transfer by itself?
  bool may_read() const { return fallback_; }
  /// The file is to blame for this error: source_failed() says so from now on.
  Error blame(Error error) {
    source_failed_ = true;
    return error;
  }

 private:
  FileTransfer(const FileRange& range)
      : file_(range.file), progress_(range.offset, range.count), fallback_(range.fallback) {}
  Result<bool> step_natively(os::NativeSocket out);
  Result<bool> step_by_reading(os::NativeSocket out, Send send);
  Result<bool> count_in(const os::Transfer& taken);
  template <class T>
  Error blame_source(const Result<T>& failed) {
    source_failed_ = true;
    return failed.error();
  }

  os::NativeSocket file_;
  RangeProgress progress_;
  bool fallback_;
  bool native_ = true;  // until the system refused
  bool source_failed_ = false;
  Bytes buffer_;  // the next piece that is read; empty until one is
};

}  // namespace loopscope
