#include "src/kernels/integer/integer_shape.h"

#include <algorithm>

#include "src/kernels/operand_check.h"

namespace tamis {
namespace {

bool IsByte(const Operand& operand) {
  return operand.dtype == DType::kUInt8 || operand.dtype == DType::kInt8;
}

Result<IntegerZeros> ZerosOf(const Operand& operand, DType dtype, int64_t count) {
  IntegerZeros zeros;
  if (!operand.Present()) return zeros;
  zeros.given = true;
  zeros.dtype = dtype;
  if (Elements(operand) == 1) return zeros;
  if (Elements(operand) != count) return UserError("zero points {} for {}", ToString(operand.dims), count);
  zeros.step = 1;
  return zeros;
}

}  // namespace

Result<IntegerMatMulShape> ReadIntegerMatMul(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  if (!IsByte(problem.input(0)) || !IsByte(problem.input(1))) return UserError("multiplies int8 and uint8");
  const Dims &a = problem.input(0).dims, &b = problem.input(1).dims;
  if (a.size() < 2 || b.size() < 2) return UserError("vectors are not supported: {} x {}", ToString(a), ToString(b));
  IntegerMatMulShape shape;
  shape.a = problem.input(0).dtype;
  shape.b = problem.input(1).dtype;
  shape.a_rows = a[a.size() - 2];
  shape.depth = a.back();
  shape.columns = b.back();
  const int64_t a_batch = Product(a, 0, a.size() - 2), b_batch = Product(b, 0, b.size() - 2);
  if (b_batch == 1 && a.size() >= b.size()) {
    shape.rows = a_batch * shape.a_rows;
  } else if (a.size() == b.size() && std::equal(a.begin(), a.end() - 2, b.begin())) {
    shape.batch = a_batch;
    shape.rows = shape.a_rows;
  } else {
    return UserError("the batches of {} and {} differ", ToString(a), ToString(b));
  }
  TAMIS_ASSIGN_OR_RETURN(shape.a_zeros, ZerosOf(problem.input(2), shape.a, shape.a_rows));
  TAMIS_ASSIGN_OR_RETURN(shape.b_zeros, ZerosOf(problem.input(3), shape.b, shape.columns));
  return shape;
}

}  // namespace tamis
