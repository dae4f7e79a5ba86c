// Callback: a move-only void() that keeps small captures inside itself.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace loopscope {

/// A callable taken once and run at most once by a loop.
///
/// Captures of up to 32 bytes that move without throwing live inside the object: scheduling them
/// allocates nothing. Larger ones are moved to the heap. Moving a Callback whose capture is
/// trivially copyable copies 40 bytes and calls nothing.
class Callback {
 public:
  static constexpr std::size_t kInline = 32;

  Callback() noexcept = default;
  Callback(std::nullptr_t) noexcept {}  // NOLINT: implicit

  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Callback> &&
             std::is_invocable_v<std::decay_t<F>&>)
  Callback(F&& callable) {  // NOLINT: implicit
    using Held = std::decay_t<F>;
    if constexpr (fits<Held>()) {
      // Moving copies all of the storage, so all of it is written: a store or two.
      std::memset(storage_, 0, kInline);
      ::new (static_cast<void*>(storage_)) Held(std::forward<F>(callable));
      ops_ = &kInlineOps<Held>;
    } else {
      Held* held = ::new Held(std::forward<F>(callable));
      std::memset(storage_, 0, kInline);
      std::memcpy(storage_, &held, sizeof held);
      ops_ = &kHeapOps<Held>;
    }
  }
  Callback(Callback&& other) noexcept { take(other); }
  Callback& operator=(Callback&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  Callback(const Callback&) = delete;
  Callback& operator=(const Callback&) = delete;
  ~Callback() { reset(); }

  explicit operator bool() const noexcept { return ops_ != nullptr; }
  /// Runs the callable. Precondition: not empty.
  void operator()() { ops_->invoke(storage_); }
  /// What it holds; void when it is empty.
  const std::type_info& target_type() const noexcept {
    return ops_ == nullptr ? typeid(void) : *ops_->type;
  }
  /// Destroys the callable now; the object is empty afterwards, also while the destructor of the
  /// capture runs, so that the capture may call back into whoever held it.
  void reset() noexcept {
    if (ops_ == nullptr) return;
    const Ops* ops = std::exchange(ops_, nullptr);
    if (ops->destroy != nullptr) ops->destroy(storage_);
  }

 private:
  struct Ops {
    void (*invoke)(void*);
    void (*relocate)(void* to, void* from) noexcept;  // null: copy the storage
    void (*destroy)(void*) noexcept;                  // null: nothing to do
    const std::type_info* type;
  };
  template <class F>
  static constexpr bool fits() {
    return sizeof(F) <= kInline && alignof(F) <= 8 &&
           std::is_nothrow_move_constructible_v<F>;
  }
  template <class F>
  static constexpr bool trivial() {
    return std::is_trivially_copyable_v<F> && std::is_trivially_destructible_v<F>;
  }
  template <class F>
  static void invoke_inline(void* storage) {
    (*std::launder(static_cast<F*>(storage)))();
  }
  template <class F>
  static void relocate_inline(void* to, void* from) noexcept {
    F* held = std::launder(static_cast<F*>(from));
    ::new (to) F(std::move(*held));
    held->~F();
  }
  template <class F>
  static void destroy_inline(void* storage) noexcept {
    std::launder(static_cast<F*>(storage))->~F();
  }
  template <class F>
  static F* heap(void* storage) {
    F* held = nullptr;
    std::memcpy(&held, storage, sizeof held);
    return held;
  }
  template <class F>
  static void invoke_heap(void* storage) {
    (*heap<F>(storage))();
  }
  template <class F>
  static void destroy_heap(void* storage) noexcept {
    ::delete heap<F>(storage);
  }
  template <class F>
  static constexpr Ops kInlineOps{&invoke_inline<F>,
                                  trivial<F>() ? nullptr : &relocate_inline<F>,
                                  trivial<F>() ? nullptr : &destroy_inline<F>, &typeid(F)};
  template <class F>
  static constexpr Ops kHeapOps{&invoke_heap<F>, nullptr, &destroy_heap<F>, &typeid(F)};

  void take(Callback& other) noexcept {
    ops_ = std::exchange(other.ops_, nullptr);
    if (ops_ == nullptr) return;
    if (ops_->relocate == nullptr) {
      std::memcpy(storage_, other.storage_, kInline);
    } else {
      ops_->relocate(storage_, other.storage_);
    }
  }

  const Ops* ops_ = nullptr;
  alignas(8) std::byte storage_[kInline];
};

}  // namespace loopscope
