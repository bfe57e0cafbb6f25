// MatMul of ONNX with two operands of rank 2 or more, batch dimensions broadcast: what is left where neither operand is
// a constant weight. Arguments of its bodies and the part that does not depend on the ISA.
//
// An item is one block of rows times one chunk of columns of one batch entry. The chunk of B is repacked as f32
// [K][chunk] once for all row blocks that a thread computes with it.
#pragma once

#include "src/kernels/elementwise/broadcast.h"
#include "src/kernels/range_kernel.h"

namespace tamis {

struct MatMulArgs {
  int64_t rows = 0, columns = 0, depth = 0;
  int64_t block = 0, blocks = 0;  // rows of an item, items over the rows
  int64_t chunk = 0, chunks = 0;  // columns of an item (a multiple of 16), items over the columns
  BroadcastLoops batch;           // operands 0 and 1, in matrices
  bool bf16[2] = {};
  bool bf16_output = false;
  int64_t a_at = 0, b_at = 0, c_at = 0;  // bytes in scratch
};

using MatMulBody = RangeBody<MatMulArgs>;

Status SupportsMatMul(const Problem& problem);
// f64 and integers of 32 and 64 bits, which wrap around; A and B are read where they lie.
Status SupportsTypedMatMul(const Problem& problem);
Result<std::unique_ptr<PreparedKernel>> PrepareMatMul(const Problem& problem, MatMulBody body);
double MatMulFlops(const Problem& problem);
// Index of the matrices of A and B that batch entry `entry` of the result multiplies.
void MatricesOf(const MatMulArgs& args, int64_t entry, int64_t (&matrices)[kMaxOperands]);

}  // namespace tamis
