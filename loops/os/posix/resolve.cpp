// Names and addresses over getaddrinfo(3) and getnameinfo(3).
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "loops/os/getaddrinfo.hpp"
