// The body of MaskedMean for the ISA of the including file.
#pragma once

#include "src/kernels/norm/norm.h"
#include "src/kernels/vec.h"

namespace tamis {
namespace {

template <class In, class Out>
void MeanOfRows(const MaskedMeanArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
                float* weights) {
  const int64_t n = args.columns;
  for (int64_t b = begin; b < end; ++b) {
    ReadMask(args.mask, inputs[1], b * args.rows, args.rows, weights);
    float total = 0;
    for (int64_t s = 0; s < args.rows; ++s) total += weights[s];
    const Vec inverse = Set(1.0f / (total < args.epsilon ? args.epsilon : total));
    const In* x = static_cast<const In*>(inputs[0]) + b * args.rows * n;
    Out* y = static_cast<Out*>(outputs[0]) + b * n;
    ForVectors(
        n,
        [&](int64_t i) {
          Vec sum = Set(0);
          for (int64_t s = 0; s < args.rows; ++s) sum = Fma(Load(x + s * n + i), Set(weights[s]), sum);
          Store(y + i, sum * inverse);
        },
        [&](int64_t i, int rest) {
          Vec sum = Set(0);
          for (int64_t s = 0; s < args.rows; ++s) sum = Fma(LoadPart(x + s * n + i, rest), Set(weights[s]), sum);
          StorePart(y + i, sum * inverse, rest);
        });
  }
}

inline void MaskedMean(const MaskedMeanArgs& args, const void* const* inputs, void* const* outputs, int64_t begin,
                       int64_t end, std::byte* scratch) {
  auto* weights = reinterpret_cast<float*>(scratch);
  if (args.bf16_input) {
    const auto body = args.bf16_output ? MeanOfRows<Bf16, Bf16> : MeanOfRows<Bf16, float>;
    body(args, inputs, outputs, begin, end, weights);
  } else {
    const auto body = args.bf16_output ? MeanOfRows<float, Bf16> : MeanOfRows<float, float>;
    body(args, inputs, outputs, begin, end, weights);
  }
}

}  // namespace
}  // namespace tamis
