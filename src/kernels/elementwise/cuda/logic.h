// Comparisons, logic, the arithmetic of integers, and the choice between two operands, with broadcasting.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "tamis/dtype.h"

namespace tamis::cuda {

enum class LogicKind : int {
  // give bool
  kEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kAnd,
  kOr,
  kXor,
  kNot,  // of a alone
  // give the operands' type, an integer, and wrap around
  kAdd,
  kSub,
  kMul,
  // a ? b : c; b and c of any type of 1, 2, 4 or 8 bytes
  kWhere,
};

struct LogicArgs {
  LogicKind kind = LogicKind::kEqual;
  const void *a = nullptr, *b = nullptr, *c = nullptr;
  void* y = nullptr;
  DType dtype = DType::kFloat32;  // of a and b; of y for the arithmetic
  int element_bytes = 4;          // of b, c and y of kWhere
  int64_t count = 0;
  int rank = 1;
  int64_t dims[8] = {};
  int64_t strides[3][8] = {};  // elements; 0 where broadcast
};

cudaError_t LaunchLogic(const LogicArgs& args, cudaStream_t stream);

}  // namespace tamis::cuda
