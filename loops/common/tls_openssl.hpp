// What the two OpenSSL files share: owning pointers, the context, and errors as values.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "loops/base/result.hpp"
#include "loops/tls.hpp"

namespace loopscope {

template <auto kRelease>
struct OpensslDeleter {
  template <class T>
  void operator()(T* object) const {
    kRelease(object);
  }
};
template <class T, auto kRelease>
using OpensslPtr = std::unique_ptr<T, OpensslDeleter<kRelease>>;

class OpensslContext final : public TlsContext {
 public:
  OpensslContext(const TlsContextOptions& options, OpensslPtr<SSL_CTX, SSL_CTX_free> context)
      : server_side(options.server_side),
        verify(options.verify_mode.value_or(options.server_side ? VerifyMode::none
                                                                : VerifyMode::required)),
        check_hostname(!options.server_side && options.check_hostname &&
                       verify != VerifyMode::none),
        ctx(std::move(context)) {}

  const bool server_side;
  const VerifyMode verify;
  const bool check_hostname;
  std::vector<unsigned char> alpn;  // as on the wire: each name behind its length
  const OpensslPtr<SSL_CTX, SSL_CTX_free> ctx;
};

/// Empties this thread's queue of OpenSSL errors into one Error: a system error under its own
/// name, anything else as "protocol" with all reasons. `about` goes in front of them.
Error take_openssl_error(std::string_view op, const std::string& about);

}  // namespace loopscope
