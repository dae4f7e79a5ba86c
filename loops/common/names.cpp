// getaddrinfo and getnameinfo of every loop of this process: at once, or in the resolver's threads.
#include <new>

#include "loops/common/loop_core.hpp"
#include "loops/os/resolve.hpp"

namespace loopscope {

template <class T, class Ask>
Future<T> LoopCore::look_up(std::string_view op, Ask ask) {
  const auto answer = std::make_shared<std::optional<Result<T>>>();
  auto work = [answer, op, ask = std::move(ask)]() noexcept {
    try {
      answer->emplace(ask());
    } catch (const std::bad_alloc&) {
      answer->emplace(errno_error_of(ENOMEM, op));
    }
  };
  Future<T> outcome = create_future<T>();
  auto ended = [outcome, answer]() mutable {
    if (!(*answer)->ok()) {
      outcome.set_error((*answer)->error());
    } else {
      outcome.set_result(std::move(**answer).value());
    }
  };
  const Result<JobId> id = execute({std::move(work), std::move(ended)}, offload_.resolver());
  if (!id.ok()) return done_future<T>(id.error());
  outcome.set_cancel_hook([this, job = *id] { withdraw(job); });
  return outcome;
}

Future<std::vector<Endpoint>> LoopCore::getaddrinfo(std::string host, std::string service,
                                                    AddressHints hints) {
  using Addresses = std::vector<Endpoint>;
  if (const std::optional<Errc> why = refuses()) {
    return done_future<Addresses>(make_error(*why, "getaddrinfo"));
  }
  if (auto known = os::resolve_at_once(host, service, hints)) {
    return done_future<Addresses>(std::move(*known));
  }
  return look_up<Addresses>("getaddrinfo", [host = std::move(host), service = std::move(service),
                                            hints] { return os::resolve(host, service, hints); });
}

Future<NameInfo> LoopCore::getnameinfo(Endpoint address, NameInfoFlags flags) {
  if (const std::optional<Errc> why = refuses()) {
    return done_future<NameInfo>(make_error(*why, "getnameinfo"));
  }
  if (auto known = os::name_at_once(address, flags)) {
    return done_future<NameInfo>(std::move(*known));
  }
  return look_up<NameInfo>("getnameinfo", [address, flags] { return os::name_of(address, flags); });
}

}  // namespace loopscope
