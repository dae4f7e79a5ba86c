// A build without OpenSSL: TLS refuses with the reason that CMake found.
#include "loops/common/tls_engine.hpp"

namespace loopscope {

namespace {
constexpr Absence kAbsences[] = {{Cap::start_tls, LOOPSCOPE_TLS_WHY}};
}  // namespace

extern const CapSet kTlsCaps{};
extern const std::span<const Absence> kTlsAbsences{kAbsences};

Result<std::shared_ptr<TlsContext>> TlsContext::make(const TlsContextOptions&) {
  return make_error(Errc::not_supported, "TlsContext::make", LOOPSCOPE_TLS_WHY);
}

Result<std::unique_ptr<TlsEngine>> TlsEngine::make(const TlsOptions&, bool) {
  return make_error(Errc::not_supported, "start_tls", LOOPSCOPE_TLS_WHY);
}

}  // namespace loopscope
