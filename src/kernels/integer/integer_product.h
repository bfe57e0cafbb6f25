// MatMulInteger and ConvInteger as nodes of their own: what dynamic quantisation leaves where it is not fused.
//
// Elements are centred to 16 bits (a byte less its zero point has 9), and products are summed pair by pair in 32 bits:
// exact, and without the saturation that multiplying bytes has on machines before VNNI. The right side lies in panels
// [panel][pairs][panel width], the left one in rows of pairs.
#pragma once

#include "src/kernels/integer/integer_shape.h"

namespace tamis {

struct IntegerProduct {
  int64_t panel;  // columns of a panel
  // c[rows, columns] = a . panel; rows of a are `pairs` pairs, columns at most the panel's.
  void (*multiply)(int64_t rows, int64_t columns, int64_t pairs, const int32_t* a, const int32_t* panel, int32_t* c,
                   int64_t c_stride);
};

Status SupportsIntegerMatMul(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareIntegerMatMul(const Problem& problem, const IntegerProduct& product);

// NCHW, one to three spatial axes.
Status SupportsIntegerConv(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareIntegerConv(const Problem& problem, const IntegerProduct& product);

// Both, by the node's operator.
Status SupportsIntegerProduct(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareIntegerProduct(const Problem& problem, const IntegerProduct& product);
double IntegerProductFlops(const Problem& problem);

// Two centred elements as one lane.
inline int32_t Pair(int low, int high) {
  return static_cast<int32_t>((static_cast<uint32_t>(high) << 16) | (static_cast<uint32_t>(low) & 0xffffu));
}

}  // namespace tamis
