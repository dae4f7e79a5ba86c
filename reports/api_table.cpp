// API entry x loop: an entry that no scenario names is untested, never supported.
#include "reports/api_table.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "reports/tally.hpp"

namespace loopscope::reports {
namespace {

struct Carried {
  std::string_view entry, capability;
};

// Entries whose name is not itself a capability. What is not here and is no capability either
// (run_forever, stop, close ...) belongs to every loop.
constexpr Carried kCarried[] = {
    {"call_at", "call_later"},
    {"TimerHandle.when", "call_later"},
    {"Handle.cancel", "call_soon"},
    {"set_debug", "debug_mode"},
    {"get_debug", "debug_mode"},
    {"set_default_executor", "run_in_executor"},
    {"shutdown_default_executor", "run_in_executor"},
    {"create_future", "futures"},
    {"create_task", "futures"},
    {"set_task_factory", "futures"},
    {"get_task_factory", "futures"},
    {"getnameinfo", "getaddrinfo"},
    {"create_unix_connection", "unix_sockets"},
    {"create_unix_server", "unix_sockets"},
    {"connect_accepted_socket", "create_connection"},
    {"connect_read_pipe", "pipes"},
    {"connect_write_pipe", "pipes"},
    {"sock_recv", "sock_stream"},
    {"sock_recv_into", "sock_stream"},
    {"sock_sendall", "sock_stream"},
    {"sock_connect", "sock_stream"},
    {"sock_accept", "sock_stream"},
    {"sock_recvfrom", "sock_datagram"},
    {"sock_recvfrom_into", "sock_datagram"},
    {"sock_sendto", "sock_datagram"},
    {"remove_reader", "add_reader"},
    {"remove_writer", "add_writer"},
    {"add_signal_handler", "signals"},
    {"remove_signal_handler", "signals"},
    {"subprocess_exec", "subprocess"},
    {"subprocess_shell", "subprocess"},
    {"call_exception_handler", "exception_handler"},
    {"set_exception_handler", "exception_handler"},
    {"get_exception_handler", "exception_handler"},
    {"default_exception_handler", "exception_handler"},
    {"Transport.set_write_buffer_limits", "flow_control"},
    {"Transport.get_write_buffer_limits", "flow_control"},
    {"Transport.get_write_buffer_size", "flow_control"},
    {"Protocol.pause_writing", "flow_control"},
    {"Protocol.resume_writing", "flow_control"},
    {"DatagramTransport.sendto", "create_datagram_endpoint"},
    {"DatagramTransport.abort", "create_datagram_endpoint"},
    {"DatagramProtocol.datagram_received", "create_datagram_endpoint"},
    {"DatagramProtocol.error_received", "create_datagram_endpoint"},
};

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string support_of(const LoopRow& loop, std::string_view capability) {
  if (!loop.absent_because.empty()) return "absent";
  if (capability.empty()) return {};
  if (has(loop.native, capability)) return "native";
  return has(loop.emulated, capability) ? "emulated" : "absent";
}

/// What outranks what when several scenarios speak of one entry.
int rank(Outcome outcome) {
  switch (outcome) {
    case Outcome::skip:
      return 1;
    case Outcome::unsupported:
      return 2;
    case Outcome::pass:
      return 3;
    case Outcome::diverges:
      return 4;
    case Outcome::notrun:
      return 5;
    case Outcome::inconclusive:
      return 6;
    case Outcome::broken:
      return 7;
    case Outcome::leak:
      return 8;
    case Outcome::fail:
      return 9;
    case Outcome::hang:
      return 10;
    case Outcome::crash:
      return 11;
  }
  return 0;
}

/// What the scenarios of one entry showed on one loop.
struct Seen {
  int worst = 0;
  Outcome outcome = Outcome::notrun;
  std::size_t passed = 0, judged = 0, planned = 0;

  void add(const Cell& cell) {
    ++planned;
    if (cell.outcome == Outcome::pass) ++passed;
    if (rank(cell.outcome) >= rank(Outcome::pass)) ++judged;
    if (rank(cell.outcome) <= worst) return;
    worst = rank(cell.outcome);
    outcome = cell.outcome;
  }
};

/// The cells of one platform, for every row.
void add_cells(Legs platform, std::vector<ApiRow>& rows) {
  std::map<std::string_view, std::vector<const Cell*>> by_scenario;
  for (const PlacedCell& cell : cells_of(platform)) by_scenario[cell->scenario].push_back(cell);
  const std::vector<LoopRow> loops = platform.catalogue().loops;
  for (ApiRow& row : rows) {
    std::map<std::string_view, Seen> seen;
    for (const std::string& scenario : row.scenarios) {
      for (const Cell* cell : by_scenario[scenario]) seen[cell->loop].add(*cell);
    }
    for (const LoopRow& loop : loops) {
      const Seen& here = seen[loop.name];
      row.cells.push_back({loop.name, platform.platform(), support_of(loop, row.capability),
                           here.worst == 0 ? "untested" : std::string(name(here.outcome)),
                           here.passed, here.judged, here.planned});
    }
  }
}

}  // namespace

std::string_view capability_of(std::string_view entry) {
  for (const Carried& row : kCarried) {
    if (row.entry == entry) return row.capability;
  }
  constexpr std::string_view kPrefix = "SubprocessTransport.";
  if (entry.substr(0, kPrefix.size()) == kPrefix) return "subprocess";
  if (entry.substr(0, 19) == "SubprocessProtocol.") return "subprocess";
  return {};
}

std::vector<ApiRow> api_table(Legs legs) {
  const Catalogue catalogue = legs.catalogue();
  std::set<std::string_view> capabilities;
  for (const CapabilityRow& row : catalogue.capabilities) capabilities.insert(row.id);
  std::map<std::string_view, std::vector<const ScenarioRow*>> by_entry;
  for (const ScenarioRow& scenario : catalogue.scenarios) {
    for (const std::string& entry : scenario.api) by_entry[entry].push_back(&scenario);
  }
  std::vector<ApiRow> rows;
  for (const ApiGroupRow& group : catalogue.api) {
    for (const std::string& entry : group.entries) {
      ApiRow& row = rows.emplace_back();
      row.group = group.title;
      row.entry = entry;
      row.capability = capabilities.count(entry) != 0 ? entry : capability_of(entry);
      for (const ScenarioRow* scenario : by_entry[entry]) row.scenarios.push_back(scenario->id);
    }
  }
  for (const Legs& platform : legs.by_platform()) add_cells(platform, rows);
  return rows;
}

}  // namespace loopscope::reports
