// The state of this process on Windows: handles, threads, children, handlers of signals.
#include "harness/snapshot.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "harness/host.hpp"
#include "harness/windows/system_table.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope {
namespace {

void add_handles(Snapshot& items) {
  for (const windows::Handle& handle : windows::handles()) {
    std::string what = std::to_string(handle.value) + " -> " + handle.type;
    if (handle.type == "File") what += " " + host::describe_descriptor(handle.value);
    items.push_back({"descriptor", std::move(what), "present"});
  }
}

void add_threads(Snapshot& items) {
  for (const windows::Thread& thread : windows::threads()) {
    items.push_back({"thread", "id " + std::to_string(thread.id), "running"});
  }
}

void add_children(Snapshot& items) {
  for (const windows::Process& process : windows::processes()) {
    if (process.parent != ::GetCurrentProcessId() || process.name == "conhost.exe") continue;
    items.push_back({"child", process.name + ", pid " + std::to_string(process.id), "running"});
  }
}

/// To ask for a handler is to set one, here: it is put back at once.
void add_signals(Snapshot& items) {
  struct Row {
    int number;
    const char* name;
  };
  for (const Row row :
       {Row{SIGINT, "SIGINT"}, Row{SIGTERM, "SIGTERM"}, Row{SIGBREAK, "SIGBREAK"}}) {
    const auto handler = std::signal(row.number, SIG_IGN);
    (void)std::signal(row.number, handler);
    const char* value = handler == SIG_DFL ? "default" : handler == SIG_IGN ? "ignored" : "handler";
    items.push_back({"signal", row.name, value});
  }
}

}  // namespace

Snapshot take_snapshot() {
  Snapshot items;
  add_handles(items);
  add_threads(items);
  add_children(items);
  add_signals(items);
  std::error_code ignored;
  items.push_back(
      {"directory", "working directory", std::filesystem::current_path(ignored).string()});
  std::sort(items.begin(), items.end());
  return items;
}

}  // namespace loopscope
