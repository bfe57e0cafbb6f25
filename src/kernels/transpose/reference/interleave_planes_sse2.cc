#include <emmintrin.h>

#include "src/kernels/transpose/interleave_planes.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

template <class T, int kPlanes>
void Elements(const T* in, int64_t pitch, int64_t begin, int64_t end, T* out) {
  for (int64_t i = begin; i < end; ++i) {
    for (int c = 0; c < kPlanes; ++c) out[i * kPlanes + c] = in[c * pitch + i];
  }
}

// Four pixels of three planes at a time; returns how many were written.
int64_t ThreePlanes(const uint32_t* in, int64_t pitch, int64_t pixels, uint32_t* out) {
  const auto load = [&](int64_t at) { return _mm_loadu_ps(reinterpret_cast<const float*>(in) + at); };
  auto* y = reinterpret_cast<float*>(out);
  int64_t i = 0;
  for (; i + 4 <= pixels; i += 4, y += 12) {
    const __m128 a = load(i), b = load(pitch + i), c = load(2 * pitch + i);
    const __m128 c0a1 = _mm_shuffle_ps(c, a, _MM_SHUFFLE(1, 1, 0, 0));
    const __m128 b1c1 = _mm_shuffle_ps(b, c, _MM_SHUFFLE(1, 1, 1, 1));
    const __m128 c2a3 = _mm_shuffle_ps(c, a, _MM_SHUFFLE(3, 3, 2, 2));
    _mm_storeu_ps(y, _mm_shuffle_ps(_mm_unpacklo_ps(a, b), c0a1, _MM_SHUFFLE(2, 0, 1, 0)));
    _mm_storeu_ps(y + 4, _mm_shuffle_ps(b1c1, _mm_unpackhi_ps(a, b), _MM_SHUFFLE(1, 0, 2, 0)));
    _mm_storeu_ps(y + 8, _mm_shuffle_ps(c2a3, _mm_unpackhi_ps(b, c), _MM_SHUFFLE(3, 2, 2, 0)));
  }
  return i;
}

template <class T>
void Interleave(const void* in, int64_t pitch, int64_t planes, int64_t pixels, void* out) {
  const auto* x = static_cast<const T*>(in);
  auto* y = static_cast<T*>(out);
  if (planes == 2) return Elements<T, 2>(x, pitch, 0, pixels, y);
  if (planes == 4) return Elements<T, 4>(x, pitch, 0, pixels, y);
  int64_t done = 0;
  if constexpr (sizeof(T) == 4) done = ThreePlanes(x, pitch, pixels, y);
  Elements<T, 3>(x, pitch, done, pixels, y);
}

InterleaveRoutine RoutineFor(DType dtype) {
  switch (BitSize(dtype)) {
    case 8:
      return Interleave<uint8_t>;
    case 16:
      return Interleave<uint16_t>;
    case 32:
      return Interleave<uint32_t>;
    default:
      return Interleave<uint64_t>;
  }
}

}  // namespace

extern const KernelDef kernel_interleave_planes_sse2 = {
    .name = "interleave_planes_sse2",
    .family = "transpose",
    .ops = {"Transpose"},
    .isa = Isa::kX86_64,
    .supports = SupportsInterleave,
    // Tiles of 16 x 16, by which other transposes go, are mostly empty here.
    .cost = [](const Problem& problem) { return 0.7 * PredictCopySeconds(problem); },
    .prepare = [](const Problem& problem, PackCache&) -> Result<std::unique_ptr<PreparedKernel>> {
      return MakeInterleave(problem, RoutineFor(problem.input(0).dtype));
    },
};

}  // namespace tamis
