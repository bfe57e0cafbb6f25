// What the kernels of MatMulInteger read from a problem.
#pragma once

#include "src/kernels/kernel.h"

namespace tamis {

// A byte of either signedness as a number.
inline int ByteAt(const void* bytes, DType dtype, int64_t i) {
  return dtype == DType::kUInt8 ? static_cast<const uint8_t*>(bytes)[i] : static_cast<const int8_t*>(bytes)[i];
}

// Zero points: none, one number, or one a row of a or a column of b.
struct IntegerZeros {
  bool given = false;
  DType dtype = DType::kUInt8;
  int64_t step = 0;

  int At(const void* zeros, int64_t i) const { return given ? ByteAt(zeros, dtype, i * step) : 0; }
};

struct IntegerMatMulShape {
  int64_t batch = 1, rows = 1, depth = 1, columns = 1;
  int64_t a_rows = 1;  // of one entry of the batch; a b that the whole batch shares makes all rows one entry's
  DType a = DType::kUInt8, b = DType::kUInt8;
  IntegerZeros a_zeros, b_zeros;
};

// An error says what is not supported.
Result<IntegerMatMulShape> ReadIntegerMatMul(const Problem& problem);

}  // namespace tamis
