// MatMulInteger and ConvInteger by instructions that multiply unsigned with signed bytes and sum four products in 32
// bits (VNNI):
//
//   sum (a - za)(b - zb) = sum a b - za sum b - zb (sum a - depth za)
//
// Signed a and unsigned b are moved by 128, and their zero points with them. All sums wrap around in 32 bits, as those
// of int32 do, so that the identity holds whatever their size.
#pragma once

#include "src/kernels/integer/integer_shape.h"

namespace tamis {

// Steps of four elements: rows of a are [steps][4], a panel of b is [steps][panel][4]; both end in zeros.
struct ByteTask {
  int64_t rows = 0, columns = 0, steps = 0;  // columns: at most the panel's
  const uint8_t* a = nullptr;
  const int8_t* panel = nullptr;
  // By row: the zero point and the sum of the row less its zero point at every element.
  const int32_t* row_zeros = nullptr;
  const int32_t* row_sums = nullptr;
  // By column of the panel: the sum and the zero point.
  const int32_t* column_sums = nullptr;
  const int32_t* column_zeros = nullptr;
  int32_t* c = nullptr;
  int64_t c_stride = 0;
};

struct ByteProduct {
  int64_t panel;  // columns of a panel
  void (*multiply)(const ByteTask& task);
  // Writes `depth` bytes, each ^ flip, and zeros up to the end of their last step; returns their sum.
  int32_t (*pack_row)(const uint8_t* from, int64_t depth, uint8_t flip, uint8_t* to);
};

Result<std::unique_ptr<PreparedKernel>> PrepareByteMatMul(const Problem& problem, PackCache& cache,
                                                          const ByteProduct& product);
Result<std::unique_ptr<PreparedKernel>> PrepareByteConv(const Problem& problem, PackCache& cache,
                                                        const ByteProduct& product);
// Both, by the node's operator.
Status SupportsByteProduct(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareByteProduct(const Problem& problem, PackCache& cache,
                                                           const ByteProduct& product);
// `work`: of the plain kernel's, which this one takes.
double ByteProductCost(const Problem& problem, Isa isa, double work);

}  // namespace tamis
