// What the benchmark needs of the platform: clients in a process of their own, and two clocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "loops/os/fd.hpp"

namespace loopscope::bench {

/// Clients of an echo server, on a plain epoll in a process of their own, the same for every
/// subject. They connect first and then keep one payload in flight on each connection.
class EchoClients {
 public:
  /// Forks. No thread may run yet. echoes: in all, a multiple of connections.
  EchoClients(int connections, int echoes, std::size_t payload);
  ~EchoClients();  // waits for the process
  EchoClients(const EchoClients&) = delete;
  EchoClients& operator=(const EchoClients&) = delete;
  /// Lets them go: the server listens on this port of 127.0.0.1 from now on.
  void begin(std::uint16_t port);

 private:
  int process_ = -1;
  os::UniqueFd port_;  // the write end of a pipe
};

/// Processor time of the calling thread in nanoseconds.
double thread_processor_ns();
/// Bytes that the heap has handed out, its own overhead included; nullopt where nobody counts.
std::optional<std::size_t> heap_bytes();
/// Raises the soft limit of open descriptors to `wanted`, or as far as it goes.
void allow_descriptors(std::size_t wanted);

}  // namespace loopscope::bench
