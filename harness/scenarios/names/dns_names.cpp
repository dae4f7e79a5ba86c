// getaddrinfo and getnameinfo: off the loop's thread, with the system's answers and errors.
// Nothing here asks the network for an answer: literals, the hosts file, and names below
// ".invalid", which RFC 6761 promises never to exist.
#include <memory>
#include <string>
#include <vector>

#include "harness/scenario.hpp"
#include "harness/scenarios/busy_pool.hpp"
#include "harness/scenarios/steps.hpp"
#include "harness/tools/hosts_file.hpp"
#include "loops/os/resolve.hpp"

namespace loopscope::scenarios::dns_names {
namespace {

using namespace std::chrono_literals;
using Addresses = std::vector<Endpoint>;

const std::string kMissing = "loopscope.invalid";

/// "127.0.0.1:80 [::1]:80", or the name of the error.
std::string spell(const Result<Addresses>& answer) {
  if (!answer.ok()) return error_name(answer.error().code);
  std::string all;
  for (const Endpoint& one : *answer) all += (all.empty() ? "" : " ") + one.to_string();
  return all;
}
std::string spell(const Result<NameInfo>& answer) {
  return answer.ok() ? answer->host + " " + answer->service : error_name(answer.error().code);
}

std::string known_name(Context& cx) {
  std::string name = tools::hosts_file_name();
  if (name.empty()) cx.skip("the hosts file of this machine has no name for a loopback address");
  return name;
}

void nonblocking(Context& cx) {
  EventLoop& loop = cx.loop();
  const std::string name = known_name(cx);
  const Result<Addresses> known = os::resolve(name, "80", {});
  auto lookup = loop.getaddrinfo(name, "80");
  cx.is_true(!lookup.done(), "a name is not looked up inside the call");
  std::vector<Future<Addresses>> many;
  for (int i = 0; i < 50; ++i) many.push_back(loop.getaddrinfo(name, std::to_string(i)));
  bool fired = false;
  loop.call_later(1ms, [&] { fired = true; });
  cx.is_true(run_patiently(cx, [&] { return fired; }), "a timer fires with 51 lookups under way");
  cx.equal(spell(await_outcome(cx, lookup)), spell(known), "the address of a known name");
  for (auto& one : many) cx.ok(await_outcome(cx, one), "a lookup of many");
}

void literals_at_once(Context& cx) {
  BusyPool busy(cx, 2);
  auto four = cx.loop().getaddrinfo("127.0.0.1", "80");
  cx.equal(spell(await_outcome(cx, four)), Endpoint::loopback(AddressFamily::ipv4, 80).to_string(),
           "an IPv4 literal");
  auto six = cx.loop().getaddrinfo("::1", "443");
  cx.equal(spell(await_outcome(cx, six)), Endpoint::loopback(AddressFamily::ipv6, 443).to_string(),
           "an IPv6 literal");
  NameInfoFlags numeric;
  numeric.numeric_host = numeric.numeric_service = true;
  auto back = cx.loop().getnameinfo(Endpoint::loopback(AddressFamily::ipv4, 80), numeric);
  cx.equal(spell(await_outcome(cx, back)), "127.0.0.1 80", "a numeric name");
  busy.release();
}

void names_beside_jobs(Context& cx) {
  const std::string name = known_name(cx);
  BusyPool busy(cx, 2);
  auto lookup = cx.loop().getaddrinfo(name, "80");
  const bool answered = run_patiently(cx, [&] { return lookup.done(); });
  busy.release();
  cx.ok(await_outcome(cx, lookup), "a lookup, at the latest when the executor is free again");
  if (!answered) cx.diverges("behind the executor", "an answer beside the jobs", "one after them");
}

void scope_is_kept(Context& cx) {
  const std::string interface = tools::loopback_interface();
  const std::string host = "fe80::1%" + interface;
  if (interface.empty() || !Endpoint::ip(host, 0).ok()) cx.skip("no scoped address here");
  auto lookup = cx.loop().getaddrinfo(host, "9");
  cx.equal(spell(await_outcome(cx, lookup)), "[" + host + "]:9", "a literal with a scope");
  NameInfoFlags numeric;
  numeric.numeric_host = numeric.numeric_service = true;
  auto back = cx.loop().getnameinfo(Endpoint::ip(host, 9).value(), numeric);
  cx.equal(spell(await_outcome(cx, back)), host + " 9", "and its name");
}

struct Question {
  std::string host, service;
  AddressHints hints;
};

/// Hosts, services and flags in combination, all answered without a network.
std::vector<Question> questions(Context& cx) {
  std::vector<Question> all;
  for (const std::string& host : {std::string(), std::string("127.0.0.1"), std::string("127.1"),
                                  std::string("::1"), known_name(cx)}) {
    for (const char* service : {"", "0", "80", "http", "no-such-service", "65536"}) {
      for (const auto family : {AddressFamily::unspecified, AddressFamily::ipv4}) {
        for (unsigned flags = 0; flags < 8; ++flags) {
          AddressHints hints;
          hints.family = family;
          hints.passive = (flags & 1) != 0;
          hints.numeric_host = (flags & 2) != 0;
          hints.numeric_service = (flags & 4) != 0;
          all.push_back({host, service, hints});
        }
      }
    }
  }
  return all;
}

void same_as_the_system(Context& cx) {
  unsigned asked = 0;
  for (const Question& each : questions(cx)) {
    auto lookup = cx.loop().getaddrinfo(each.host, each.service, each.hints);
    const std::string seen = spell(await_outcome(cx, lookup));
    const std::string want = spell(os::resolve(each.host, each.service, each.hints));
    const std::string what = "getaddrinfo(\"" + each.host + "\", \"" + each.service + "\", " +
                             (each.hints.passive ? "passive " : "") +
                             (each.hints.numeric_host ? "numeric_host " : "") +
                             (each.hints.numeric_service ? "numeric_service" : "") + ")";
    cx.equal(seen, want, what);
    ++asked;
  }
  cx.note("questions", asked, "count");
}

void error_kinds(Context& cx) {
  auto missing = cx.loop().getaddrinfo(kMissing, "80");
  cx.run_until([&] { return missing.done(); });  // however long the system tries
  const Result<Addresses> nobody = missing.result();
  cx.refused(nobody, "a name that does not exist");
  const std::string name = error_name(nobody.error().code);
  // Without a network nobody can tell that it does not exist: "try again" is right then.
  if (name != "EAI_NONAME" && name != "EAI_NODATA" && name != "EAI_AGAIN") {
    cx.failed("the error for a name that does not exist", "EAI_NONAME, EAI_NODATA or EAI_AGAIN",
              to_string(nobody.error()));
  }
  AddressHints literal;
  literal.numeric_host = true;
  auto refused = cx.loop().getaddrinfo(kMissing, "80", literal);
  cx.equal(spell(await_outcome(cx, refused)), "EAI_NONAME", "a name where a literal is asked for");
  auto service = cx.loop().getaddrinfo("127.0.0.1", "no-such-service");
  cx.equal(spell(await_outcome(cx, service)), "EAI_SERVICE", "a service that does not exist");
}

void cancelled_lookups(Context& cx) {
  std::vector<Future<Addresses>> lookups;
  const std::string name = known_name(cx);
  for (int i = 0; i < 30; ++i) lookups.push_back(cx.loop().getaddrinfo(name, std::to_string(i)));
  for (auto& one : lookups) {
    cx.is_true(one.cancel(), "a pending lookup takes the cancellation");
    cx.is_true(one.done(), "and its future is done at once");
  }
  auto last = cx.loop().getaddrinfo(name, "99");
  cx.ok(await_outcome(cx, last), "a lookup after the cancelled ones");
  for (auto& one : lookups) cx.refused(one.result(), Errc::cancelled, "a cancelled lookup");
}

void close_with_pending(Context& cx) {
  std::unique_ptr<EventLoop> loop = cx.new_loop();
  for (int i = 0; i < 40; ++i) {
    auto lookup = loop->getaddrinfo(i % 2 == 0 ? kMissing : known_name(cx), std::to_string(i));
    lookup.add_done_callback([&cx] { cx.mark("a callback of a closed loop ran"); });
  }
  cx.ok(loop->close(), "close() with 40 lookups under way");
  loop.reset();
  auto after = cx.loop().getaddrinfo(known_name(cx), "80");
  cx.ok(await_outcome(cx, after), "a lookup of another loop");
  cx.expect_trace({});
}

void odd_hosts(Context& cx) {
  const std::string nul("127.0.0.1\0.invalid", 18);
  std::string ones;  // an arabic digit one, in UTF-8: quadratic for some decoders
  for (int i = 0; i < 50'000; ++i) ones += "\xd9\xa1";
  std::vector<std::string> hosts = {nul, std::string(300, 'a'), ones, "a b.invalid", "\n"};
  hosts.push_back(std::string(100'000, 'a').append(".com"));
  const Duration before = cx.thread_cpu_time();
  for (const std::string& host : hosts) {
    auto lookup = cx.loop().getaddrinfo(host, "80");
    cx.refused(await_outcome(cx, lookup), "a host that no name can look like");
  }
  cx.at_most(cx.thread_cpu_time() - before, Duration(500ms), "CPU time for six odd hosts");
}

void names_of_addresses(Context& cx) {
  const Endpoint http = Endpoint::loopback(AddressFamily::ipv4, std::uint16_t{80});
  const Endpoint shell = Endpoint::loopback(AddressFamily::ipv4, std::uint16_t{514});
  for (const Endpoint& address : {http, shell, Endpoint::loopback(AddressFamily::ipv6)}) {
    for (unsigned bits = 0; bits < 8; ++bits) {
      NameInfoFlags flags;
      flags.numeric_host = (bits & 1) != 0;
      flags.numeric_service = (bits & 2) != 0;
      flags.datagram = (bits & 4) != 0;
      auto lookup = cx.loop().getnameinfo(address, flags);
      cx.equal(spell(await_outcome(cx, lookup)), spell(os::name_of(address, flags)),
               "the name of " + address.to_string() + " with flags " + std::to_string(bits));
    }
  }
  auto nothing = cx.loop().getnameinfo(Endpoint());
  cx.refused(await_outcome(cx, nothing), "the name of an address without a family");
  auto path = cx.loop().getnameinfo(Endpoint::unix_path("x").value());
  cx.refused(await_outcome(cx, path), "the name of a Unix address");
}

constexpr std::string_view kGet[] = {"getaddrinfo"};
constexpr std::string_view kName[] = {"getnameinfo"};
constexpr std::string_view kBoth[] = {"getaddrinfo", "getnameinfo"};
constexpr std::string_view kClose[] = {"getaddrinfo", "close"};
constexpr std::string_view kDoc =
    "docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.getaddrinfo";
constexpr CapSet kNeeds{Cap::call_soon, Cap::call_later, Cap::futures, Cap::getaddrinfo};
constexpr CapSet kBeside = kNeeds | CapSet{Cap::run_in_executor};
constexpr std::chrono::milliseconds kLimit{60'000};  // a resolver without a network takes its time

constexpr Scenario kScenarios[] = {
    {.id = "dns.nonblocking",
     .promise = "A name is looked up beside the loop, which goes on meanwhile.",
     .source = kDoc,
     .needs = kNeeds,
     .body = nonblocking,
     .api = kGet,
     .limit = kLimit},
    {.id = "dns.literal_fast_path",
     .promise = "A numeric address needs no thread: it is resolved while the executor is busy.",
     .source = "github.com/python/cpython/blob/main/Lib/test/test_asyncio/test_base_events.py, "
               "test_create_connection_ip_addr",
     .needs = kBeside,
     .body = literals_at_once,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kBoth,
     .limit = kLimit},
    {.id = "dns.saturation",
     .promise = "Names are looked up although the default executor has no thread to spare.",
     .source = "docs.python.org/3/library/asyncio-eventloop.html#dns, Note",
     .needs = kBeside,
     .body = names_beside_jobs,
     .level = Level::info,
     .severity = Severity::common,
     .api = kGet,
     .limit = kLimit},
    {.id = "dns.scope_id",
     .promise = "The scope of a link-local literal is part of its address, both ways.",
     .source = "RFC 4007, section 11",
     .needs = kNeeds,
     .body = scope_is_kept,
     .authority = Authority::posix,
     .severity = Severity::common,
     .api = kBoth,
     .limit = kLimit},
    {.id = "dns.arguments",
     .promise = "Hosts, services and flags give the addresses and errors of the system's resolver.",
     .source = "man 3 getaddrinfo",
     .needs = kNeeds,
     .body = same_as_the_system,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kGet,
     .limit = kLimit},
    {.id = "dns.error_kind",
     .promise = "What cannot be resolved is an error by its EAI name.",
     .source = "man 3 getaddrinfo, RETURN VALUE; RFC 6761, section 6.4",
     .needs = kNeeds,
     .body = error_kinds,
     .authority = Authority::man_page,
     .severity = Severity::common,
     .api = kGet,
     .limit = kLimit},
    {.id = "dns.cancel",
     .promise = "A cancelled lookup ends at once, and its answer is dropped when it comes.",
     .source = "docs.libuv.org/en/v1.x/request.html#c.uv_cancel",
     .needs = kNeeds,
     .body = cancelled_lookups,
     .level = Level::should,
     .authority = Authority::de_facto,
     .severity = Severity::common,
     .api = kGet,
     .limit = kLimit},
    {.id = "dns.close_with_pending",
     .promise = "A loop can be closed and destroyed with lookups under way.",
     .source = "github.com/MagicStack/uvloop/blob/master/tests/test_dns.py, "
               "test_getaddrinfo_close_loop",
     .needs = kNeeds,
     .body = close_with_pending,
     .authority = Authority::de_facto,
     .api = kClose,
     .limit = kLimit},
    {.id = "dns.long_and_idna",
     .promise = "Hosts that are too long, odd, or hold a NUL are refused without much work.",
     .source = "github.com/python/cpython/issues/98433; RFC 1035, section 2.3.4",
     .needs = kNeeds,
     .body = odd_hosts,
     .authority = Authority::de_facto,
     .severity = Severity::edge,
     .api = kGet,
     .limit = kLimit},
    {.id = "dns.getnameinfo",
     .promise = "getnameinfo honours its flags and refuses what is no IP address.",
     .source = "man 3 getnameinfo",
     .needs = kNeeds,
     .body = names_of_addresses,
     .authority = Authority::man_page,
     .severity = Severity::edge,
     .api = kName,
     .limit = kLimit},
};

}  // namespace

extern const ScenarioFile file{"A16", "DNS", kScenarios};
}  // namespace loopscope::scenarios::dns_names
