#include "tamis/dtype.h"

#include <array>

namespace tamis {
namespace {

struct Row {
  DType dtype;
  int bits;
  std::string_view name;
  std::string_view kserve;
};

constexpr std::array<Row, 25> kRows = {{
    {DType::kFloat32, 32, "float32", "FP32"},
    {DType::kUInt8, 8, "uint8", "UINT8"},
    {DType::kInt8, 8, "int8", "INT8"},
    {DType::kUInt16, 16, "uint16", "UINT16"},
    {DType::kInt16, 16, "int16", "INT16"},
    {DType::kInt32, 32, "int32", "INT32"},
    {DType::kInt64, 64, "int64", "INT64"},
    {DType::kString, 0, "string", "BYTES"},
    {DType::kBool, 8, "bool", "BOOL"},
    {DType::kFloat16, 16, "float16", "FP16"},
    {DType::kFloat64, 64, "float64", "FP64"},
    {DType::kUInt32, 32, "uint32", "UINT32"},
    {DType::kUInt64, 64, "uint64", "UINT64"},
    {DType::kBFloat16, 16, "bfloat16", "BF16"},
    {DType::kFloat8E4M3, 8, "float8_e4m3fn", ""},
    {DType::kFloat8E4M3Fnuz, 8, "float8_e4m3fnuz", ""},
    {DType::kFloat8E5M2, 8, "float8_e5m2", ""},
    {DType::kFloat8E5M2Fnuz, 8, "float8_e5m2fnuz", ""},
    {DType::kUInt4, 4, "uint4", ""},
    {DType::kInt4, 4, "int4", ""},
    {DType::kFloat4E2M1, 4, "float4_e2m1fn", ""},
    {DType::kFloat8E8M0, 8, "float8_e8m0fnu", ""},
    {DType::kUInt2, 2, "uint2", ""},
    {DType::kInt2, 2, "int2", ""},
    {DType::kUndefined, 0, "undefined", ""},
}};

const Row& Find(DType dtype) {
  for (const Row& row : kRows) {
    if (row.dtype == dtype) return row;
  }
  return kRows.back();
}

}  // namespace

int BitSize(DType dtype) {
  return Find(dtype).bits;
}
size_t ByteSize(DType dtype, size_t count) {
  return (count * static_cast<size_t>(BitSize(dtype)) + 7) / 8;
}
std::string_view Name(DType dtype) {
  return Find(dtype).name;
}
std::string_view KserveName(DType dtype) {
  return Find(dtype).kserve;
}

DType FromKserveName(std::string_view name) {
  for (const Row& row : kRows) {
    if (!name.empty() && row.kserve == name) return row.dtype;
  }
  return DType::kUndefined;
}

bool IsFloat(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kFloat64:
    case DType::kFloat16:
    case DType::kBFloat16:
    case DType::kFloat8E4M3:
    case DType::kFloat8E4M3Fnuz:
    case DType::kFloat8E5M2:
    case DType::kFloat8E5M2Fnuz:
    case DType::kFloat4E2M1:
    case DType::kFloat8E8M0:
      return true;
    default:
      return false;
  }
}

bool IsInteger(DType dtype) {
  switch (dtype) {
    case DType::kUInt8:
    case DType::kInt8:
    case DType::kUInt16:
    case DType::kInt16:
    case DType::kInt32:
    case DType::kInt64:
    case DType::kUInt32:
    case DType::kUInt64:
    case DType::kUInt4:
    case DType::kInt4:
    case DType::kUInt2:
    case DType::kInt2:
      return true;
    default:
      return false;
  }
}

}  // namespace tamis
