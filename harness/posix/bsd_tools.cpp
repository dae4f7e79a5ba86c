// Tools that the BSDs do not have the means for.
#include "harness/lacking.hpp"
#include "harness/tools/descriptor_tools.hpp"
#include "harness/tools/inheritance.hpp"
#include "harness/tools/process_tools.hpp"

namespace loopscope::tools {
namespace {
[[noreturn]] void lacks(const std::string& what) { system_lacks("BSD", what); }
}  // namespace

std::size_t set_pipe_capacity(os::NativeSocket, std::size_t) { lacks("pipes of a chosen size"); }
void enable_error_queue(os::NativeSocket) { lacks("error queues of sockets"); }
std::size_t available_memory() { lacks("/proc/meminfo"); }
std::size_t heap_in_use() { lacks("mallinfo2"); }
std::size_t thread_count() { lacks("/proc/self/task"); }
TouchedMemory::TouchedMemory(std::size_t size_bytes) : memory_(nullptr), size_(size_bytes) {
  lacks("page faults counted for one thread");
}
TouchedMemory::~TouchedMemory() = default;
std::size_t TouchedMemory::pages() const { return memory_ == nullptr ? 0 : size_; }
std::size_t TouchedMemory::touch() { return 0; }

void epoll_remove(os::NativeSocket, os::NativeSocket) { lacks("epoll"); }

}  // namespace loopscope::tools
