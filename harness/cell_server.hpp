// Cells by fork: this program is started once, and every cell begins as a copy of that process.
//
// Starting it is most of what a short cell costs: libraries are loaded and linked, and a sanitizer
// lays out its memory. The server has done nothing more than that: one thread, no loop made, no
// library used. What a cell may find different from a start of its own is its argument list, and
// addresses that are the same in all cells of one server.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/child.hpp"
#include "loops/base/result.hpp"
#include "loops/os/fd.hpp"

namespace loopscope {

/// The runner's side. For one cell at a time.
class CellServer {
 public:
  /// Starts `executable serve-cells` with default signals, in a session of its own, without any
  /// descriptor of ours. It dies with the calling thread.
  static Result<std::unique_ptr<CellServer>> start(const std::string& executable);
  /// A running server, by the socket to it. For start().
  CellServer(os::UniqueFd socket, long pid) : socket_(std::move(socket)), pid_(pid) {}
  CellServer(const CellServer&) = delete;
  CellServer& operator=(const CellServer&) = delete;
  ~CellServer();  // ends the process and waits for that

  /// A cell with these descriptors as standard output, standard error and report channel, in a
  /// session of its own. Its pid, which stays its own until reap().
  Result<long> begin(const ChildCommand& command, int out, int err, int report);
  /// Readable when the cell has ended, or the server.
  os::NativeSocket fd() const { return socket_.get(); }
  bool ended();
  /// Waits for the end of the cell; its status as waitpid(2) gives it.
  int reap();
  /// The server itself has ended; it takes its cell with it.
  bool gone() const { return gone_; }

 private:
  os::UniqueFd socket_;
  long pid_;
  bool ended_ = false, gone_ = false;
};

/// The server's side: forks whenever the runner asks. In the cell it returns with the cell's
/// arguments, its descriptors, directory and environment in place; in the server it returns
/// nothing, when the runner has gone.
std::optional<std::vector<std::string>> serve_cells(int socket, long runner_pid);

}  // namespace loopscope
