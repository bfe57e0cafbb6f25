// The inner routine of every 2:4 kernel: rows of x times one panel of a packed weight, epilogue included. One function
// for each ISA and dtype; the gemm24 and conv24 kernels share them.
#pragma once

#include "src/kernels/gemm/packed24.h"
#include "src/ops/op_tamis.h"

namespace tamis {

// y[r, l] = act(sum_k x[r, k] w[l, k] + bias[l] + residual[r, l]) for r < rows and l < lanes.
struct Panel24Task {
  const void* x = nullptr;  // rows of groups * 4 elements, all readable, of the weight's dtype
  int64_t x_pitch = 0;      // elements from row to row
  int64_t rows = 0;
  int64_t groups = 0;
  const void* values = nullptr;  // of the panel, as Packed24 lays them out
  const uint8_t* codes = nullptr;
  int lanes = 0;  // outputs of the panel that exist, 1 to Packed24::kLanes
  const Epilogue* epilogue = nullptr;
  const float* bias = nullptr;  // null if the epilogue has none; else `lanes` elements
  // The residual and y start at the panel's first output and have the same pitch, in elements.
  const void* residual = nullptr;
  bool residual_bf16 = false;
  void* y = nullptr;
  bool y_bf16 = false;
  int64_t y_pitch = 0;
};
using Panel24 = void (*)(const Panel24Task&);

void Panel24F32Reference(const Panel24Task& task);
void Panel24Bf16Reference(const Panel24Task& task);
void Panel24F32Avx2(const Panel24Task& task);
void Panel24F32Avx512(const Panel24Task& task);
void Panel24Bf16Avx512(const Panel24Task& task);  // needs AVX512_BF16

}  // namespace tamis
