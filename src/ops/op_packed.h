// Elements that are not whole bytes, and elements that are objects.
//
// Elements of less than a byte lie in the low bits first. References that compute read them through WideReader; those
// that only move elements run on stand-ins of whole bytes (EvalMoved), so that each is written once for every type.
#pragma once

#include <cstdint>

#include "src/ops/op_bind.h"

namespace tamis {

inline bool IsPacked(DType dtype) {
  return BitSize(dtype) == 2 || BitSize(dtype) == 4;
}
inline uint8_t GetPacked(const uint8_t* data, int64_t i, int bits) {
  const int64_t at = i * bits;
  return static_cast<uint8_t>((data[at / 8] >> (at % 8)) & ((1 << bits) - 1));
}
inline void SetPacked(uint8_t* data, int64_t i, int bits, unsigned code) {
  const int64_t at = i * bits;
  const unsigned mask = (1u << bits) - 1;
  uint8_t& byte = data[at / 8];
  byte = static_cast<uint8_t>((byte & ~(mask << (at % 8))) | ((code & mask) << (at % 8)));
}

// One uint8 an element, and back.
Tensor UnpackedCodes(const Tensor& tensor);
Tensor PackedCodes(const Tensor& codes, DType dtype);

// As Bind, for evaluations that read and write elements of any type, strings included.
Result<std::unique_ptr<BoundNode>> BindAny(EvalContext& context);

// Evaluates an operator that only moves elements: packed ones as bytes, strings as their positions. All inputs of such
// a type are operands to be moved, and outputs of it are moved results.
Status EvalByStandIns(EvalContext& context, Status (*eval)(EvalContext&));
template <Status (*kEval)(EvalContext&)>
Status EvalMoved(EvalContext& context) {
  return EvalByStandIns(context, kEval);
}

}  // namespace tamis
