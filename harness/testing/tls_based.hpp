// What faulty TLS is made from: a poll loop whose TLS transports are of a class of the fault's.
#pragma once

#include <memory>
#include <utility>

#include "harness/testing/poll_based.hpp"
#include "loops/common/tls_transport.hpp"

namespace loopscope::testing {

/// T derives from TlsTransport and inherits its constructor.
template <class T>
class TlsThrough : public SelectorLoop {
 public:
  using SelectorLoop::SelectorLoop;
  Result<std::shared_ptr<TlsTransport>> make_tls(std::shared_ptr<BaseProtocol> user,
                                                 const TlsOptions& options,
                                                 bool server_side) override {
    auto engine = TlsEngine::make(options, server_side);
    if (!engine.ok()) return engine.error();
    return std::shared_ptr<TlsTransport>(
        std::make_shared<T>(*this, std::move(engine).value(), std::move(user), options));
  }
};

/// Passes everything on to the engine inside. A fault overrides what it gets wrong.
class WrappedEngine : public TlsEngine {
 public:
  explicit WrappedEngine(std::unique_ptr<TlsEngine> inner) : inner_(std::move(inner)) {}
  void feed(ByteView ciphertext) override { inner_->feed(ciphertext); }
  void keep_input() override { inner_->keep_input(); }
  void feed_end() override { inner_->feed_end(); }
  Bytes take_output() override { return inner_->take_output(); }
  Result<TlsStep> handshake() override { return inner_->handshake(); }
  Result<TlsRead> read(std::span<std::byte> into) override { return inner_->read(into); }
  Result<void> write(ByteView plaintext) override { return inner_->write(plaintext); }
  Result<void> shutdown() override { return inner_->shutdown(); }
  std::string describe(std::string_view name) const override { return inner_->describe(name); }

 private:
  std::unique_ptr<TlsEngine> inner_;
};

/// A poll loop with TLS.
template <class L>
FaultyLoop faulty_tls(std::string_view name, std::string_view defect,
                      std::span<const std::string_view> must_fail,
                      std::span<const std::string_view> must_pass) {
  LoopDescriptor loop = poll_based<L>(name);
  loop.native = kSelectorCaps | kTlsCaps;
  return {.loop = loop, .defect = defect, .must_fail = must_fail, .must_pass = must_pass};
}

}  // namespace loopscope::testing
