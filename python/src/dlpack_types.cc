#include "python/src/dlpack_types.h"

namespace nb = nanobind;

namespace tamis::python {
namespace {

using Code = nb::dlpack::dtype_code;
struct Row {
  Code code;
  uint8_t bits;
  DType dtype;
};
constexpr Row kRows[] = {
    {Code::Float, 16, DType::kFloat16},
    {Code::Float, 32, DType::kFloat32},
    {Code::Float, 64, DType::kFloat64},
    {Code::Bfloat, 16, DType::kBFloat16},
    {Code::Int, 8, DType::kInt8},
    {Code::Int, 16, DType::kInt16},
    {Code::Int, 32, DType::kInt32},
    {Code::Int, 64, DType::kInt64},
    {Code::UInt, 8, DType::kUInt8},
    {Code::UInt, 16, DType::kUInt16},
    {Code::UInt, 32, DType::kUInt32},
    {Code::UInt, 64, DType::kUInt64},
    {Code::Bool, 8, DType::kBool},
    {Code::Float8_E4M3FN, 8, DType::kFloat8E4M3},
    {Code::Float8_E5M2, 8, DType::kFloat8E5M2},
};

}  // namespace

DType DTypeOfDlpack(const nb::dlpack::dtype& dtype) {
  for (const Row& row : kRows) {
    if (dtype.lanes == 1 && static_cast<uint8_t>(row.code) == dtype.code && row.bits == dtype.bits) return row.dtype;
  }
  return DType::kUndefined;
}

nb::dlpack::dtype DlpackOf(DType dtype) {
  for (const Row& row : kRows) {
    if (row.dtype == dtype) return {static_cast<uint8_t>(row.code), row.bits, 1};
  }
  return {};
}

}  // namespace tamis::python
