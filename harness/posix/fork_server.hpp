// Cells by fork: this program is started once, and every cell begins as a copy of that process.
//
// Starting it is most of what a short cell costs: libraries are loaded and linked, and a sanitizer
// lays out its memory. The server has done nothing more than that: one thread, no loop made, no
// library used. What a cell may find different from a start of its own is its argument list, and
// addresses that are the same in all cells of one server.
#pragma once

#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "harness/cell_server.hpp"
#include "loops/os/fd.hpp"

namespace loopscope {

/// The runner's side. The server runs `executable serve-cells` with default signals, in a session
/// of its own, without any descriptor of ours. It dies with the thread that started it.
class ForkServer final : public CellServer {
 public:
  /// A running server, by the socket to it. For CellServer::start().
  ForkServer(os::UniqueFd socket, long pid) : socket_(std::move(socket)), pid_(pid) {}
  ForkServer(const ForkServer&) = delete;
  ForkServer& operator=(const ForkServer&) = delete;
  ~ForkServer() override;  // ends the process and waits for that

  /// A cell has its own session and process group, and the report channel on descriptor 3.
  Result<ChildReport> run(const ChildCommand& command,
                          const std::function<bool()>& cancel) override;
  bool gone() const override { return gone_; }

  /// A cell with these descriptors as standard output, standard error and report channel, in a
  /// session of its own. Its pid, which stays its own until reap().
  Result<long> begin(const ChildCommand& command, int out, int err, int report);
  /// Readable when the cell has ended, or the server.
  os::NativeSocket fd() const { return socket_.get(); }
  bool ended();
  /// Waits for the end of the cell; its status as waitpid(2) gives it.
  int reap();

 private:
  os::UniqueFd socket_;
  long pid_;
  bool ended_ = false, gone_ = false;
};

/// Until its exec a server that starts holds copies of all our descriptors. Among them must not be
/// the ends that a cell writes to: the pipes of a cell that has ended would seem held by a process
/// that it left behind. So whoever starts a server locks this, and whoever has such ends open
/// shares it with others who do.
std::shared_mutex& copied_descriptors();

/// The server's side: forks whenever the runner asks. In the cell it returns with the cell's
/// arguments, its descriptors, directory and environment in place; in the server it returns
/// nothing, when the runner has gone.
std::optional<std::vector<std::string>> serve_cells(int socket, long runner_pid);

}  // namespace loopscope
