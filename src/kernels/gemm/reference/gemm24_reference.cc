// Linear with a 2:4 weight in plain loops: the meaning of the packed format, and what runs where no vectors do.
#include <algorithm>
#include <cmath>

#include "src/base/float16.h"
#include "src/kernels/gemm/gemm24.h"

namespace tamis {
namespace {

float Load(const void* data, bool bf16, int64_t i) {
  return bf16 ? Bf16ToFloat(static_cast<const uint16_t*>(data)[i]) : static_cast<const float*>(data)[i];
}

template <bool kBf16>
void Panel(const Panel24Task& task) {
  constexpr int64_t kLanes = Packed24::kLanes;
  for (int64_t row = 0; row < task.rows; ++row) {
    float sum[kLanes] = {};
    for (int64_t group = 0; group < task.groups; ++group) {
      const int64_t x = row * task.x_pitch + group * 4;
      const int64_t w = group * kLanes * 2;
      for (int64_t lane = 0; lane < task.lanes; ++lane) {
        const int byte = task.codes[group * (kLanes / 2) + lane % 16];
        const int code = lane < 16 ? byte & 15 : byte >> 4;
        for (int64_t i = 0; i < 2; ++i) {
          const float value = Load(task.values, kBf16, w + (kBf16 ? lane * 2 + i : i * kLanes + lane));
          sum[lane] += value * Load(task.x, kBf16, x + (i == 0 ? code & 3 : code >> 2));
        }
      }
    }
    for (int64_t lane = 0; lane < task.lanes; ++lane) {
      const int64_t at = row * task.y_pitch + lane;
      float value = sum[lane];
      if (task.bias != nullptr) value += task.bias[lane];
      if (task.residual != nullptr) value += Load(task.residual, task.residual_bf16, at);
      value = static_cast<float>(Apply(*task.epilogue, static_cast<double>(value)));
      if (task.y_bf16) {
        static_cast<uint16_t*>(task.y)[at] = FloatToBf16(value);
      } else {
        static_cast<float*>(task.y)[at] = value;
      }
    }
  }
}

}  // namespace

void Panel24F32Reference(const Panel24Task& task) { Panel<false>(task); }
void Panel24Bf16Reference(const Panel24Task& task) { Panel<true>(task); }

extern const KernelDef kernel_gemm24_reference;
const KernelDef kernel_gemm24_reference = {
    .name = "gemm24_reference",
    .family = "gemm",
    .ops = {"Linear"},
    .supports = [](const Problem& problem) { return Gemm24Supported(problem, problem.input(0).dtype); },
    .cost = [](const Problem& problem) { return Gemm24Cost(problem, Isa::kX86_64); },
    .prepare =
        [](const Problem& problem, PackCache& cache) {
          const bool bf16 = problem.input(0).dtype == DType::kBFloat16;
          return PrepareGemm24(problem, cache, bf16 ? Panel24Bf16Reference : Panel24F32Reference);
        },
};

}  // namespace tamis
