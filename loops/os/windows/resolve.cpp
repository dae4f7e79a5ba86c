// Names and addresses over Winsock's getaddrinfo and getnameinfo.
#include "loops/os/windows/winsock.hpp"
// After the platform's own.
#include "loops/os/getaddrinfo.hpp"
