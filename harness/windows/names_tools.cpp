// The hosts file and the interfaces of Windows.
#include <array>
#include <fstream>
#include <sstream>

#include "harness/tools/hosts_file.hpp"
#include "harness/tools/interfaces.hpp"
#include "loops/os/windows/winsock.hpp"

namespace loopscope::tools {

std::string hosts_file_name() {
  std::array<wchar_t, MAX_PATH> folder{};
  const UINT size = ::GetSystemDirectoryW(folder.data(), static_cast<UINT>(folder.size()));
  std::ifstream file(os::narrow({folder.data(), size}) + "\\drivers\\etc\\hosts");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string address, name;
    if (words >> address >> name && address.starts_with("127.")) return name;
  }
  return {};
}

std::string loopback_interface() { return {}; }
std::optional<Endpoint> link_local_address() { return std::nullopt; }

}  // namespace loopscope::tools
