// What the libuv row does in libuv's thread pool: work, names and addresses.
//
// libuv's own behaviour that scenarios meet, and that is left as it is:
//   one pool      four threads for the whole process (UV_THREADPOOL_SIZE). Lookups are slow work:
//                 two of them run at a time; literal addresses are looked up like names.
//   no shutdown   the pool lives as long as the process: what is shut down is our access to it.
//   hosts         uv_getaddrinfo converts names by IDNA first and has errors of its own for that.
// Source: docs.libuv.org, "Thread pool work scheduling", "DNS utility functions"; 1.44.2.
#include <cerrno>

#include "loops/os/resolve.hpp"
#include "loops/reference/libuv_loop.hpp"
#include "loops/reference/libuv_system.hpp"

namespace loopscope::libuv {
namespace {

/// A request from its start to its callback.
template <class Uv>
struct PoolRequest {
  explicit PoolRequest(LibuvLoop& in) : loop(in) { uv.data = this; }
  uv_req_t* generic() { return reinterpret_cast<uv_req_t*>(&uv); }

  Uv uv{};
  LibuvLoop& loop;
};

/// One that has an answer.
template <class Uv, class T>
struct Question : PoolRequest<Uv> {
  Question(LibuvLoop& in, Future<T> for_future)
      : PoolRequest<Uv>(in), future(std::move(for_future)) {}
  Future<T> future;
};

/// Starts it. start(request): libuv's call, 0 when its callback will come.
template <class Request, class Start>
int begin(std::unique_ptr<Request> request, Start start) {
  if (const int rc = start(*request); rc != 0) return rc;
  request->loop.pool_began(request->generic());
  (void)request.release();  // libuv's until its callback
  return 0;
}
/// The same for one whose future can be cancelled.
template <class Request, class Start>
int ask(std::unique_ptr<Request> request, Start start) {
  LibuvLoop& loop = request->loop;
  uv_req_t* const generic = request->generic();
  auto future = request->future;
  const int rc = begin(std::move(request), start);
  if (rc == 0) future.set_cancel_hook([&loop, generic] { loop.pool_cancel(generic); });
  return rc;
}

/// The request of a callback, owned again. The loop may have closed: then nobody is to be told.
template <class Request, class Uv>
std::unique_ptr<Request> take(Uv* uv) {
  std::unique_ptr<Request> request(static_cast<Request*>(uv->data));
  request->loop.pool_ended(request->generic());
  return request;
}

Error resolver_error(int status, std::string_view op, std::string detail = {}) {
  const auto named = [&](int code) {
    return Error{{code, os::resolver_category()}, op, std::move(detail)};
  };
  switch (status) {
    case UV_EAI_AGAIN:
      return named(EAI_AGAIN);
    case UV_EAI_BADFLAGS:
      return named(EAI_BADFLAGS);
    case UV_EAI_FAIL:
      return named(EAI_FAIL);
    case UV_EAI_FAMILY:
      return named(EAI_FAMILY);
    case UV_EAI_MEMORY:
      return named(EAI_MEMORY);
    case UV_EAI_NONAME:
      return named(EAI_NONAME);
#ifdef EAI_OVERFLOW
    case UV_EAI_OVERFLOW:
      return named(EAI_OVERFLOW);
#endif
    case UV_EAI_SERVICE:
      return named(EAI_SERVICE);
    case UV_EAI_SOCKTYPE:
      return named(EAI_SOCKTYPE);
#ifdef EAI_NODATA
    case UV_EAI_NODATA:
      return named(EAI_NODATA);
#endif
#ifdef EAI_ADDRFAMILY
    case UV_EAI_ADDRFAMILY:
      return named(EAI_ADDRFAMILY);
#endif
    default:
      return Error{code_of(status), op, std::move(detail)};
  }
}

struct Lookup : Question<uv_getaddrinfo_t, std::vector<Endpoint>> {
  using Question::Question;
  std::string question;
};

void on_addresses(uv_getaddrinfo_t* uv, int status, addrinfo* list) {
  const auto request = take<Lookup>(uv);
  const std::unique_ptr<addrinfo, decltype(&uv_freeaddrinfo)> owner(list, &uv_freeaddrinfo);
  if (request->loop.is_closed()) return;
  request->loop.enter([&] {
    if (status < 0) {
      request->future.set_error(resolver_error(status, "uv_getaddrinfo", request->question));
      return;
    }
    std::vector<Endpoint> found;
    for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
      found.push_back(Endpoint::from_raw(one->ai_addr, one->ai_addrlen));
    }
    request->future.set_result(std::move(found));
  });
}

using NameLookup = Question<uv_getnameinfo_t, NameInfo>;

void on_name(uv_getnameinfo_t* uv, int status, const char* host, const char* service) {
  const auto request = take<NameLookup>(uv);
  if (request->loop.is_closed()) return;
  request->loop.enter([&] {
    if (status < 0) {
      request->future.set_error(resolver_error(status, "uv_getnameinfo"));
    } else {
      request->future.set_result(NameInfo{host, service});
    }
  });
}

}  // namespace

// --- names

Future<std::vector<Endpoint>> LibuvLoop::getaddrinfo(std::string host, std::string service,
                                                     AddressHints hints) {
  using Addresses = std::vector<Endpoint>;
  const std::string_view op = "uv_getaddrinfo";
  const auto refused = [this](Error why) { return done_future<Addresses>(std::move(why)); };
  if (const std::optional<Errc> why = refuses()) return refused(make_error(*why, op));
  if (host.find('\0') != host.npos || service.find('\0') != service.npos) {
    return refused(make_error(Errc::invalid_argument, op, "a NUL in a name"));
  }
  if (hints.family == AddressFamily::unix_domain) {
    return refused(make_error(Errc::invalid_argument, op, "no IP family"));
  }
  addrinfo want{};
  want.ai_family = native(hints.family);
  want.ai_socktype = hints.type == SocketType::datagram ? SOCK_DGRAM : SOCK_STREAM;
  want.ai_flags = (hints.passive ? AI_PASSIVE : 0) | (hints.numeric_host ? AI_NUMERICHOST : 0) |
                  (hints.numeric_service ? AI_NUMERICSERV : 0);
  // Neither a host nor a service is no question. Port 0 makes it one.
  if (service.empty()) service.push_back('0');
  Future<Addresses> future = create_future<Addresses>();
  auto request = std::make_unique<Lookup>(*this, future);
  request->question = host + " " + service;
  const int rc = ask(std::move(request), [&](Lookup& lookup) {
    return uv_getaddrinfo(uv(), &lookup.uv, &on_addresses, host.empty() ? nullptr : host.c_str(),
                          service.c_str(), &want);
  });
  return rc == 0 ? future : refused(resolver_error(rc, op, host + " " + service));
}

Future<NameInfo> LibuvLoop::getnameinfo(Endpoint address, NameInfoFlags flags) {
  const std::string_view op = "uv_getnameinfo";
  if (const std::optional<Errc> why = refuses()) return done_future<NameInfo>(make_error(*why, op));
  const int bits = (flags.numeric_host ? NI_NUMERICHOST : 0) |
                   (flags.numeric_service ? NI_NUMERICSERV : 0) |
                   (flags.name_required ? NI_NAMEREQD : 0) | (flags.datagram ? NI_DGRAM : 0);
  Future<NameInfo> future = create_future<NameInfo>();
  const int rc = ask(std::make_unique<NameLookup>(*this, future), [&](NameLookup& lookup) {
    return uv_getnameinfo(uv(), &lookup.uv, &on_name, static_cast<const sockaddr*>(address.data()),
                          bits);
  });
  return rc == 0 ? future : done_future<NameInfo>(resolver_error(rc, op, address.to_string()));
}

// --- work

struct LibuvLoop::Work : PoolRequest<uv_work_t> {
  Work(LibuvLoop& in, Job todo) : PoolRequest(in), job(std::move(todo)) {}
  Job job;
};

Result<LibuvLoop::JobId> LibuvLoop::execute(Job job, std::shared_ptr<Executor> executor) {
  if (executor != nullptr || own_default_) {
    return LoopCore::execute(std::move(job), std::move(executor));
  }
  const std::string_view op = "run_in_executor";
  if (const std::optional<Errc> why = refuses()) return make_error(*why, op);
  if (pool_shut_) return make_error(Errc::closed, op, "the default executor was shut down");
  const auto run = [](uv_work_t* uv) {
    Callback work = std::move(static_cast<Work*>(uv->data)->job.work);
    work();  // It lets no exception out, and what it captured goes in this thread.
  };
  const auto ended = [](uv_work_t* uv, int status) {
    const auto finished = take<Work>(uv);
    LibuvLoop& loop = finished->loop;
    --loop.works_;
    if (loop.is_closed()) return;  // nobody is told
    loop.enter([&] {
      if (status == 0 && finished->job.ended) finished->job.ended();
      loop.work_ended();
    });
  };
  auto request = std::make_unique<Work>(*this, std::move(job));
  const auto id = reinterpret_cast<JobId>(request->generic());
  const int rc = begin(std::move(request),
                       [&](Work& started) { return uv_queue_work(uv(), &started.uv, run, ended); });
  if (rc != 0) return uv_error(rc, "uv_queue_work");
  ++works_;
  return id;
}

void LibuvLoop::withdraw(JobId job) {
  auto* const request = reinterpret_cast<uv_req_t*>(job);
  if (!pool_requests_.contains(request)) {  // one of an executor: those have small numbers
    LoopCore::withdraw(job);
    return;
  }
  static_cast<Work*>(request->data)->job.ended.reset();
  pool_cancel(request);
}

void LibuvLoop::work_ended() {
  if (works_ > 0) return;
  for (Future<void>& waiter : std::exchange(work_ends_, {})) waiter.set_result();
}

Result<void> LibuvLoop::set_default_executor(std::shared_ptr<Executor> executor) {
  Result<void> set = LoopCore::set_default_executor(std::move(executor));
  if (set.ok()) own_default_ = true;
  return set;
}

Future<void> LibuvLoop::shutdown_default_executor(std::optional<Duration> timeout) {
  if (own_default_) return LoopCore::shutdown_default_executor(timeout);
  if (const std::optional<Errc> why = refuses()) {
    return done_future<void>(make_error(*why, "shutdown_default_executor"));
  }
  pool_shut_ = true;
  if (works_ == 0) return done_future<void>({});
  Future<void> done = create_future();
  work_ends_.push_back(done);
  if (!timeout) return done;
  TimerHandle limit = call_later(*timeout, [this, done]() mutable {
    if (done.done()) return;
    log(LogLevel::warning, "The work in libuv's pool did not end within the timeout.");
    done.set_result();
  });
  done.add_done_callback([limit]() mutable { (void)limit.cancel(); });
  return done;
}

}  // namespace loopscope::libuv
