// The sockets of Windows: listed everywhere, measured where the mechanism exists.
#include "probe/probe.hpp"

namespace loopscope::probes::windows_sockets {

namespace {

constexpr Fact kFacts[] = {
    {"tcp.win.loopback_fast_path", "Can SIO_LOOPBACK_FAST_PATH be switched on?",
     "Microsoft Learn, SIO_LOOPBACK_FAST_PATH", nullptr, "latency over loopback"},
    {"tcp.win.exclusive_addruse", "Does SO_EXCLUSIVEADDRUSE keep a port from being stolen?",
     "Microsoft Learn, Using SO_REUSEADDR and SO_EXCLUSIVEADDRUSE", nullptr,
     "a server that others may not take over"},
    {"udp.win.connreset_ioctl", "Does SIO_UDP_CONNRESET silence the error 10054?",
     "Microsoft Learn, Winsock IOCTLs, SIO_UDP_CONNRESET", nullptr,
     "a lost datagram must not end a server"},
    {"udp.uro_uso", "Do UDP_SEND_MSG_SIZE and UDP_RECV_MAX_COALESCED_SIZE work?",
     "Microsoft Learn, IPPROTO_UDP Socket Options", nullptr,
     "fewer system calls at high packet rates"},
    {"unix.win.af_unix", "Do Unix sockets work, and with a completion port?",
     "Microsoft devblogs, AF_UNIX comes to Windows", nullptr,
     "servers on paths, and socket pairs that nobody else can reach"},
};

}  // namespace

extern const ProbeFile file{.mechanism = "Windows sockets",
                            .group = "B5",
                            .facts = kFacts,
                            .absent_because = "needs Windows"};

}  // namespace loopscope::probes::windows_sockets
