// Several vectors that go through a function together: each operation is done to all of them before the next. A chain
// of dependent operations waits for each one's latency; others in between use that time where the processor's scheduler
// is too small to look for them behind the chain (36 operations on Zen 1, which a single activation fills). Functions
// over `V` in vec_math.h take a Vec or a Vecs.
#pragma once

#include <utility>

#include "src/kernels/vec.h"

namespace tamis {
namespace {

template <int kCount>
struct Vecs {
  Vec v[kCount];
};

template <class T>
struct LockstepOf {
  static constexpr int kCount = 0;
};
template <int kVectors>
struct LockstepOf<Vecs<kVectors>> {
  static constexpr int kCount = kVectors;
};
// The vectors of the operand that has several; operands that are one Vec meet each of them.
template <class... A>
constexpr int kTogether = [] {
  int most = 0;
  ((most = LockstepOf<A>::kCount > most ? LockstepOf<A>::kCount : most), ...);
  return most;
}();
template <class... A>
concept Several = (kTogether<A...> != 0);

TAMIS_INLINE Vec PartOf(Vec x, int /*index*/) {
  return x;
}
template <int kCount>
TAMIS_INLINE Vec PartOf(const Vecs<kCount>& x, int index) {
  return x.v[index];
}

template <class F, int... kIndex, class... A>
TAMIS_INLINE Vecs<sizeof...(kIndex)> Each(F f, std::integer_sequence<int, kIndex...> /*vectors*/, const A&... a) {
  const auto part = [&](auto index) __attribute__((always_inline)) {
    return f(PartOf(a, index)...);
  };
  return {{part(std::integral_constant<int, kIndex>())...}};
}

#define TAMIS_LOCKSTEP(name)                                                 \
  template <class... A>                                                      \
  requires Several<A...> TAMIS_INLINE auto name(const A&... a) {             \
    return Each(                                                             \
        [](auto... x) __attribute__((always_inline)) { return name(x...); }, \
        std::make_integer_sequence<int, kTogether<A...>>(), a...);           \
  }
TAMIS_LOCKSTEP(Fma)
TAMIS_LOCKSTEP(Max)
TAMIS_LOCKSTEP(Min)
TAMIS_LOCKSTEP(Abs)
TAMIS_LOCKSTEP(Round)
TAMIS_LOCKSTEP(Reciprocal)
TAMIS_LOCKSTEP(ScaleByPowerOfTwo)
TAMIS_LOCKSTEP(IfLess)
TAMIS_LOCKSTEP(CopySign)
TAMIS_LOCKSTEP(PowerOfLowBits)
#undef TAMIS_LOCKSTEP

#define TAMIS_LOCKSTEP(symbol)                                                       \
  template <class A, class B>                                                        \
  requires Several<A, B> TAMIS_INLINE auto operator symbol(const A& a, const B& b) { \
    return Each(                                                                     \
        [](Vec x, Vec y) __attribute__((always_inline)) { return x symbol y; },      \
        std::make_integer_sequence<int, kTogether<A, B>>(), a, b);                   \
  }
TAMIS_LOCKSTEP(+)
TAMIS_LOCKSTEP(-)
TAMIS_LOCKSTEP(*)
TAMIS_LOCKSTEP(/)
#undef TAMIS_LOCKSTEP

}  // namespace
}  // namespace tamis
