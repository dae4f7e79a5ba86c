// Ranges that leave gaps open, and reports counted by machine.
#include "probe/fleet.hpp"

#include <doctest/doctest.h>

#include "probe/identity.hpp"

using namespace loopscope;

namespace {

Machine machine(std::string kernel, std::vector<KnownFact> facts) {
  return {.host = {{"os", std::string("Linux")}, {"kernel", std::move(kernel)}},
          .facts = std::move(facts)};
}

KnownFact fact(std::string id, FactValue value, std::string reason = "none") {
  return {.id = std::move(id), .value = std::move(value), .unit = "", .reason = reason, .note = ""};
}

constexpr KernelAnswers kYes{.has = 1}, kNo{.lacks = 2}, kBoth{.has = 1, .lacks = 1};

}  // namespace

TEST_CASE("a range of kernels never closes a gap by itself") {
  CHECK(kernel_statement({}).empty());
  CHECK(kernel_statement({{{5, 15}, kNo}, {{5, 19}, kYes}}) ==
        "yes at 5.19; no at 5.15; no data between 5.15 and 5.19");
  CHECK(kernel_statement({{{5, 18}, kNo}, {{5, 19}, kYes}, {{6, 0}, kYes}, {{6, 1}, kYes}}) ==
        "yes from 5.19 to 6.1; no at 5.18");
  CHECK(kernel_statement({{{5, 10}, kYes}, {{6, 1}, kYes}}) ==
        "yes at 6.1; yes at 5.10; no data between 5.10 and 6.1");
  CHECK(kernel_statement({{{6, 1}, kBoth}, {{6, 2}, kYes}}) == "yes at 6.2; yes and no at 6.1");
}

TEST_CASE("a kernel's version is its first two numbers, of Linux only") {
  CHECK(kernel_version(machine("6.18.44-fc", {})) == KernelVersion{6, 18});
  CHECK(kernel_version(machine("5.10", {})) == KernelVersion{5, 10});
  CHECK_FALSE(kernel_version(machine("rolling", {})).has_value());
  Machine other = machine("6.1", {});
  other.host[0].second = std::string("FreeBSD");
  CHECK_FALSE(kernel_version(other).has_value());
}

TEST_CASE("reports are one machine until a yes meets a no") {
  Fleet fleet;
  fleet.add(machine("6.1.0", {fact("a", true), fact("n", std::int64_t{5})}), "1");
  fleet.add(machine("6.1.0", {fact("a", true), fact("n", std::int64_t{9})}), "2");
  fleet.add(machine("6.1.0", {fact("b", false)}), "3");  // another part of the same one
  fleet.add(machine("6.1.0", {fact("a", false)}), "4");
  fleet.add(machine("6.2.0", {fact("a", std::monostate(), "timeout")}), "5");
  CHECK(fleet.reports() == 5);
  const auto machines = fleet.machines();
  REQUIRE(machines.size() == 3);
  CHECK(machines[0].reports == 3);
  CHECK(machines[0].identity ==
        identity_of({{"b", false}, {"a", true}},
                    {{"kernel", std::string("6.1.0")}, {"os", std::string("Linux")}}));
  const auto facts = fleet.facts();
  REQUIRE(facts.size() == 3);
  CHECK(facts[0].plain == Fleet::Counts{1, 1, 1, 0});
  CHECK(facts[0].kernels.at({6, 1}).has == 1);
  CHECK(facts[0].kernels.count({6, 2}) == 0);  // unknown is no data
  CHECK((facts[1].least == 5 && facts[1].most == 9));
  CHECK(facts[2].plain == Fleet::Counts{2, 0, 1, 0});
}

TEST_CASE("what runs in a container or under an emulator is counted apart") {
  Fleet fleet;
  const auto add = [&](std::vector<std::string> layers, FactValue value, std::string reason) {
    Machine one = machine("6.1.0", {fact("a", std::move(value), std::move(reason))});
    one.host.emplace_back("layers", std::move(layers));
    fleet.add(one, "x");
  };
  add({}, true, "none");
  add({"virtual machine: KVM"}, true, "none");
  add({"container: docker", "virtual machine: KVM"}, false, "denied");
  add({"gvisor"}, std::monostate(), "not_applicable");
  const auto row = fleet.facts().at(0);
  CHECK(row.plain == Fleet::Counts{0, 2, 0, 0});
  CHECK(row.layered == Fleet::Counts{0, 0, 1, 1});
  CHECK(kernel_statement(row.kernels) == "yes at 6.1");
}
