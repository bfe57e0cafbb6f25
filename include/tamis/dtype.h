// Element types of tensors, by ONNX's numbering so that files need no table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tamis {

enum class DType : uint8_t {
  kUndefined = 0,
  kFloat32 = 1,
  kUInt8 = 2,
  kInt8 = 3,
  kUInt16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kFloat64 = 11,
  kUInt32 = 12,
  kUInt64 = 13,
  kBFloat16 = 16,
  kFloat8E4M3 = 17,
  kFloat8E4M3Fnuz = 18,
  kFloat8E5M2 = 19,
  kFloat8E5M2Fnuz = 20,
  kUInt4 = 21,
  kInt4 = 22,
  kFloat4E2M1 = 23,
  kFloat8E8M0 = 24,
  kUInt2 = 25,
  kInt2 = 26,
};

// Bits of one element; 0 for kUndefined and kString (whose elements are std::string objects, see tensor.h).
int BitSize(DType dtype);
// Bytes that `count` packed elements take. Elements of less than a byte lie in the low bits first.
size_t ByteSize(DType dtype, size_t count);
// "float32", "int64", ...: NumPy's names, "bfloat16" and "int4" beside them.
std::string_view Name(DType dtype);
// The KServe v2 name ("FP32", "INT64", "BYTES", ...); empty where the protocol has none.
std::string_view KserveName(DType dtype);
// The inverse of KserveName; kUndefined if unknown.
DType FromKserveName(std::string_view name);
bool IsFloat(DType dtype);
bool IsInteger(DType dtype);

}  // namespace tamis
