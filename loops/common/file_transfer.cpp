// Pieces of a file: by the system's own transfer, or read and sent where it has none.
#include "loops/common/file_transfer.hpp"

#include <algorithm>
#include <array>

#include "loops/os/file.hpp"

namespace loopscope {

std::size_t RangeProgress::next(std::size_t limit) const {
  const std::uint64_t left = count_ ? *count_ - sent_ : os::kMaxFileOffset - position();
  return static_cast<std::size_t>(std::min<std::uint64_t>(left, limit));
}

Result<void> check_range(std::string_view op, const FileRange& range) {
  if (range.offset > os::kMaxFileOffset) {
    return make_error(Errc::invalid_argument, op,
                      "offset " + std::to_string(range.offset) + " is beyond 2^63 - 1");
  }
  if (range.count && *range.count > os::kMaxFileOffset - range.offset) {
    return make_error(Errc::invalid_argument, op,
                      "offset " + std::to_string(range.offset) + " plus count " +
                          std::to_string(*range.count) + " is beyond 2^63 - 1");
  }
  return {};
}

Result<FileTransfer> FileTransfer::make(std::string_view op, const FileRange& range) {
  if (Result<void> valid = check_range(op, range); !valid.ok()) return valid.error();
  // Reading nothing tells whether anything can be read.
  const Result<std::size_t> readable = os::read_at(range.file, range.offset, {});
  if (!readable.ok()) return readable.error();
  if (const Result<void> set = os::set_position(range.file, range.offset); !set.ok()) {
    return set.error();
  }
  return FileTransfer(range);
}

Result<bool> FileTransfer::step(os::NativeSocket out, Send send) {
  source_failed_ = false;
  if (progress_.complete()) return true;
  if (native_) {
    Result<bool> stepped = step_natively(out);
    if (stepped.ok() || !stepped.error().is(Errc::not_supported)) return stepped;
    if (!fallback_) return blame_source(stepped);
    native_ = false;
  }
  return step_by_reading(out, send);
}

Result<bool> FileTransfer::step_natively(os::NativeSocket out) {
  const Result<os::Transfer> taken =
      os::sendfile(out, file_, progress_.position(), progress_.next(kNativePiece));
  if (taken.ok()) return count_in(*taken);
  if (taken.error().is(Errc::not_supported)) return taken.error();
  // The system does not say which of the two descriptors failed. The file does, when asked.
  std::array<std::byte, 1> probe;
  const Result<std::size_t> readable = os::read_at(file_, progress_.position(), probe);
  if (!readable.ok()) return blame_source(readable);
  return taken.error();
}

Result<bool> FileTransfer::step_by_reading(os::NativeSocket out, Send send) {
  // What is not taken is read again later: nothing has to be kept, and nothing sent is stale.
  if (buffer_.empty()) buffer_.resize(kReadPiece);
  const Result<std::span<std::byte>> piece = read(buffer_);
  if (!piece.ok()) return piece.error();
  if (piece->empty()) return true;
  const Result<os::Transfer> taken = send(out, *piece);
  if (!taken.ok()) return taken.error();
  const bool whole = *taken == buffer_.size();
  buffer_.resize(whole ? std::min(2 * buffer_.size(), kNativePiece) : kReadPiece);
  return count_in(*taken);
}

Result<bool> FileTransfer::count_in(const os::Transfer& taken) {
  if (!taken) return false;
  if (*taken == 0) return true;  // The end of the file.
  if (const Result<void> counted = advance(*taken); !counted.ok()) return counted.error();
  return progress_.complete();
}

Result<std::span<std::byte>> FileTransfer::read(std::span<std::byte> buffer) {
  const std::span<std::byte> wanted = buffer.first(progress_.next(buffer.size()));
  if (wanted.empty()) return wanted;
  const Result<std::size_t> got = os::read_at(file_, progress_.position(), wanted);
  if (!got.ok()) return blame_source(got);
  return wanted.first(*got);
}

Result<void> FileTransfer::advance(std::size_t bytes) {
  progress_.advance(bytes);
  const Result<void> set = os::set_position(file_, progress_.position());
  if (!set.ok()) return blame_source(set);
  return {};
}

}  // namespace loopscope
