// NumberedFile: a file whose every line tells where it stands, so that what is missing, repeated
// or shifted shows.
#pragma once

#include <optional>
#include <string>

#include "harness/scenarios/steps.hpp"
#include "harness/tools/descriptor_tools.hpp"
#include "harness/tools/file_tools.hpp"

namespace loopscope::scenarios {

struct NumberedFile {
  NumberedFile(Context& cx, std::size_t size, std::string_view name = "numbered") {
    content.reserve(size + 16);
    while (content.size() < size) content += std::to_string(content.size()) + "\n";
    content.resize(size);
    fd = tools::create_file(cx.temp_path(name), content);
  }
  FileRange range(std::uint64_t offset = 0, std::optional<std::uint64_t> count = {}) const {
    return {.file = fd.get(), .offset = offset, .count = count};
  }
  /// What the range holds, cut where the file ends.
  std::string part(std::size_t offset, std::size_t count = std::string::npos) const {
    return offset < content.size() ? content.substr(offset, count) : std::string();
  }
  std::uint64_t position() const { return tools::position(fd.get()); }

  std::string content;
  os::UniqueFd fd;
};

/// A connection with small buffers, so that a peer who does not read stops the sender soon.
inline StreamPair narrow_pair(Context& cx) {
  constexpr int kBuffer = 128 * 1024;
  StreamPair pair = cx.tcp_pair();
  ours(os::set_buffer_sizes(pair.subject.native(), kBuffer, 0));
  ours(os::set_buffer_sizes(pair.peer.native(), 0, kBuffer));
  return pair;
}
/// More than it holds, several times over.
inline constexpr std::size_t kMoreThanFits = 4 * 1024 * 1024;

/// Turns the loop until the sender got as far as it can while nobody reads: its position rests.
inline void until_stuck(Context& cx, const NumberedFile& file) {
  std::uint64_t seen = 0;
  int calm = 0;
  cx.run_until([&] {
    const std::uint64_t at = file.position();
    calm = at == seen ? calm + 1 : 0;
    seen = at;
    return calm > 50;
  });
}

/// The outcome of a transfer for which a peer has to read: the cell's limit ends the waiting.
inline Result<std::uint64_t> finished(Context& cx, const Future<std::uint64_t>& sending) {
  cx.run_until([&] { return sending.done(); });
  return sending.result();
}

/// The bytes that arrived are those of the file, and as many as they should be.
inline void same_bytes(Context& cx, std::string_view got, std::string_view want,
                       std::string_view what, Here here = Here::now()) {
  cx.equal(got.size(), want.size(), std::string(what) + ": bytes that arrive", here);
  cx.is_true(got == want, std::string(what) + ": they are the ones of the file", here);
}

}  // namespace loopscope::scenarios
