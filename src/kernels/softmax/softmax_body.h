// The body of Softmax for the ISA of the including file.
#pragma once

#include "src/kernels/softmax/softmax.h"
#include "src/kernels/vec_math.h"

namespace tamis {
namespace {

template <class In, class Out>
inline void SoftmaxRows(const SoftmaxArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                        int64_t end, float* row) {
  const int64_t n = args.columns;
  for (int64_t r = begin; r < end; ++r) {
    const In* x = static_cast<const In*>(inputs[0]) + r * n;
    Out* y = static_cast<Out*>(outputs[0]) + r * n;
    Vec highest = Set(-__builtin_inff());
    float top = -__builtin_inff();
    ForVectors(
        n, [&](int64_t i) { highest = Max(highest, Load(x + i)); },
        [&](int64_t i, int rest) {
          for (int j = 0; j < rest; ++j) {
            const float value = ToFloat(x[i + j]);
            if (value > top) top = value;
          }
        });
    const float vector_top = MaxLane(highest);
    const Vec shift = Set(vector_top > top ? vector_top : top);
    Vec sums = Set(0);
    float sum = 0;
    ForVectors(
        n,
        [&](int64_t i) {
          const Vec e = Exp(Load(x + i) - shift);
          sums = sums + e;
          Store(row + i, e);
        },
        [&](int64_t i, int rest) {
          StorePart(row + i, Exp(LoadPart(x + i, rest) - shift), rest);
          for (int j = 0; j < rest; ++j) sum += row[i + j];
        });
    const Vec inverse = Set(1.0f / (sum + SumLanes(sums)));
    Map(row, y, n, [&](Vec e) { return e * inverse; });
  }
}

inline void Softmax(const SoftmaxArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                    int64_t end, std::byte* scratch) {
  auto* row = reinterpret_cast<float*>(scratch);
  if (args.bf16_input) {
    const auto rows = args.bf16_output ? SoftmaxRows<Bf16, Bf16> : SoftmaxRows<Bf16, float>;
    rows(args, inputs, outputs, begin, end, row);
  } else {
    const auto rows = args.bf16_output ? SoftmaxRows<float, Bf16> : SoftmaxRows<float, float>;
    rows(args, inputs, outputs, begin, end, row);
  }
}

}  // namespace
}  // namespace tamis
