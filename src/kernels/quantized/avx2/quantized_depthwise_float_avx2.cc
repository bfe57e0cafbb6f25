// QuantizedConv with one filter per channel in floats, for AVX2 without VNNI: sums of bytes are exact in floats below
// 2^24, and an FMA needs no additions and no widening beside it. The lines of x that some rows of results need become
// floats once, padding included; then each row is made four results at a time, with the taps of one kernel row in
// registers. Against products of 16 bits (Zen 1): 0.85 of the time with a stride of one, 1.3 with two, where each
// line that was widened serves half as many results.
#include "src/kernels/quantized/avx2/depthwise_int8_avx2.h"

namespace tamis {
namespace {

class DepthwiseFloats {
 public:
  static constexpr int64_t kLanes = 8;
  static constexpr int kResults = kDepthwiseFloatResults;  // as many as CodesOf takes vectors

  DepthwiseFloats(const DepthwiseInt8Args& args, const DepthwiseInt8Task& task)
      : args_(args),
        task_(task),
        h_(args.shape.geometry.axes[1]),
        w_(args.shape.geometry.axes[2]),
        channels_(args.shape.channels),
        first_(task.block * kLanes),
        count_(channels_ - first_ < kLanes ? channels_ - first_ : kLanes),
        lines_(reinterpret_cast<float*>(task.scratch)),
        weights_(args.float_weights + task.block * h_.kernel * w_.kernel * kLanes),
        starts_(_mm256_load_ps(args.float_starts + first_)),
        scales_(_mm256_load_ps(args.scales + first_)),
        biases_(_mm256_load_ps(args.biases + first_)),
        last_(args.result.ToCodes()) {}

  void Run() const {
    Widen();
    for (int64_t row = 0; row < task_.rows; ++row) {
      const bool adjacent = w_.dilation == 1;
      if (adjacent && w_.kernel == 3 && w_.stride == 1) {
        Row<3, 1>(row);
      } else if (adjacent && w_.kernel == 3 && w_.stride == 2) {
        Row<3, 2>(row);
      } else if (adjacent && w_.kernel == 5 && w_.stride == 1) {
        Row<5, 1>(row);
      } else if (adjacent && w_.kernel == 5 && w_.stride == 2) {
        Row<5, 2>(row);
      } else if (adjacent && w_.kernel == 7 && w_.stride == 1) {
        Row<7, 1>(row);
      } else {
        Row<0, 0>(row);
      }
    }
  }

 private:
  const float* Line(int64_t at) const { return lines_ + at * args_.columns * kLanes; }

  // Every line of x that the task's rows read, as floats; outside of x is its zero point.
  void Widen() const {
    const auto zero = static_cast<float>(args_.zero);
    const int64_t lines = (task_.rows - 1) * h_.stride + (h_.kernel - 1) * h_.dilation + 1;
    for (int64_t line = 0; line < lines; ++line) {
      float* const to = lines_ + line * args_.columns * kLanes;
      const int64_t in = task_.row * h_.stride - h_.pad_begin + line;
      if (in < 0 || in >= h_.in) {
        Fill(to, 0, args_.columns, zero);
        continue;
      }
      const int64_t begin = w_.pad_begin < args_.columns ? w_.pad_begin : args_.columns;
      const int64_t end = begin + w_.in < args_.columns ? begin + w_.in : args_.columns;
      const auto* from = static_cast<const uint8_t*>(task_.x) + (task_.image * h_.in + in) * w_.in * channels_ + first_;
      Fill(to, 0, begin, zero);
      if (count_ == kLanes) {
        Convert<true>(from, end - begin, to + begin * kLanes);
      } else {
        Convert<false>(from, end - begin, to + begin * kLanes);
      }
      Fill(to, end, args_.columns, zero);
    }
  }
  static void Fill(float* line, int64_t begin, int64_t end, float value) {
    for (int64_t i = begin; i < end; ++i) _mm256_store_ps(line + i * kLanes, _mm256_set1_ps(value));
  }
  template <bool kWhole>
  void Convert(const uint8_t* from, int64_t columns, float* to) const {
    const __m128i flip = _mm_set1_epi8(static_cast<char>(args_.is_signed ? -128 : 0));
    for (int64_t i = 0; i < columns; ++i, from += channels_, to += kLanes) {
      int64_t bytes = 0;
      std::memcpy(&bytes, from, kWhole ? kLanes : static_cast<size_t>(count_));
      const __m128i codes = _mm_xor_si128(_mm_cvtsi64_si128(bytes), flip);
      _mm256_store_ps(to, _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(codes)));
    }
  }

  // kWidth adjacent taps at a stride of kStride, or any.
  template <int kWidth, int kStride>
  void Row(int64_t row) const {
    const int64_t out_row = task_.image * h_.out + task_.row + row;
    uint8_t* y = static_cast<uint8_t*>(task_.y) + out_row * w_.out * channels_ + first_;
    for (int64_t column = 0; column < w_.out; column += kResults, y += kResults * channels_) {
      __m256 acc[kResults];
      for (__m256& a : acc) a = starts_;
      const float* weights = weights_;
      for (int64_t i = 0; i < h_.kernel; ++i, weights += w_.kernel * kLanes) {
        const float* x = Line(row * h_.stride + i * h_.dilation) + column * w_.stride * kLanes;
        if constexpr (kWidth > 0) {
          AddTaps<kWidth, kStride>(weights, x, acc);
        } else {
          for (int64_t t = 0; t < w_.kernel; ++t) {
            const __m256 weight = _mm256_load_ps(weights + t * kLanes);
            const float* at = x + t * w_.dilation * kLanes;
            for (int r = 0; r < kResults; ++r) {
              acc[r] = _mm256_fmadd_ps(weight, _mm256_load_ps(at + r * w_.stride * kLanes), acc[r]);
            }
          }
        }
      }
      Store(acc, y, w_.out - column);
    }
  }
  // One row of the kernel: each column of x is loaded once for all results that it is part of.
  template <int kWidth, int kStride>
  __attribute__((always_inline)) static void AddTaps(const float* weights, const float* x, __m256* acc) {
    __m256 held[kWidth];
#pragma GCC unroll 7
    for (int t = 0; t < kWidth; ++t) held[t] = _mm256_load_ps(weights + t * kLanes);
#pragma GCC unroll 16
    for (int c = 0; c < (kResults - 1) * kStride + kWidth; ++c) {
      const __m256 column = _mm256_load_ps(x + c * kLanes);
#pragma GCC unroll 4
      for (int r = 0; r < kResults; ++r) {
        const int t = c - r * kStride;
        if (t >= 0 && t < kWidth) acc[r] = _mm256_fmadd_ps(column, held[t], acc[r]);
      }
    }
  }

  // The first `present` of four results.
  void Store(const __m256* acc, uint8_t* y, int64_t present) const {
    __m256 scaled[kResults];
    for (int r = 0; r < kResults; ++r) scaled[r] = _mm256_fmadd_ps(acc[r], scales_, biases_);
    const __m256i codes = CodesOf<DepthwiseAvx2<WideDot>>(scaled, args_.result, last_);
    // Either half holds four channels of each result.
    const __m128i first = _mm256_castsi256_si128(codes), second = _mm256_extracti128_si256(codes, 1);
    alignas(16) int64_t eights[kResults];
    _mm_store_si128(reinterpret_cast<__m128i*>(eights), _mm_unpacklo_epi32(first, second));
    _mm_store_si128(reinterpret_cast<__m128i*>(eights + 2), _mm_unpackhi_epi32(first, second));
    if (count_ == kLanes && present >= kResults) {
      for (int r = 0; r < kResults; ++r) std::memcpy(y + r * channels_, &eights[r], kLanes);
      return;
    }
    for (int r = 0; r < kResults && r < present; ++r) {
      std::memcpy(y + r * channels_, &eights[r], static_cast<size_t>(count_));
    }
  }

  const DepthwiseInt8Args& args_;
  const DepthwiseInt8Task& task_;
  const SlidingAxis &h_, &w_;
  int64_t channels_, first_, count_;
  float* lines_;
  const float* weights_;
  __m256 starts_, scales_, biases_;
  AffineTable last_;
};

void Body(const DepthwiseInt8Args& args, const DepthwiseInt8Task& task) {
  DepthwiseFloats(args, task).Run();
}

}  // namespace

extern const KernelDef kernel_quantized_depthwise_float_avx2;
const KernelDef kernel_quantized_depthwise_float_avx2 = {
    .name = "quantized_depthwise_float_avx2",
    .family = "quantized",
    .ops = {"QuantizedConv"},
    .isa = Isa::kAvx2,
    .supports = SupportsDepthwiseFloats,
    .cost = [](const Problem& problem) { return DepthwiseInt8Cost(problem, Isa::kAvx2, 1.5); },
    .prepare =
        [](const Problem& problem, PackCache&) {
          return PrepareDepthwiseInt8(problem, {.body = Body, .block = DepthwiseFloats::kLanes, .floats = true});
        },
};

}  // namespace tamis
