// The hosts file: names that this machine knows without a network.
#pragma once

#include <string>

namespace loopscope::tools {

/// A name that the hosts file gives to a loopback IPv4 address; empty where there is none.
std::string hosts_file_name();
/// The name of the loopback interface, "lo"; empty where none is found.
std::string loopback_interface();

}  // namespace loopscope::tools
