// What the passes on quantised graphs share: values that are 8-bit codes with one scale and one zero point.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "src/ir/graph.h"

namespace tamis {

// One scale and zero point.
struct Codes {
  ValueId value = kNoValue;  // of u8 or s8; may be none where only the mapping is meant
  double scale = 0;
  int64_t zero = 0;
  DType dtype = DType::kUndefined;

  bool SameMapping(const Codes& other) const {
    return scale == other.scale && zero == other.zero && dtype == other.dtype;
  }
};

bool Is8Bit(DType dtype);
// nullopt unless scale (positive) and zero point (kNoValue: 0) are constants of one number and the dtype is 8 bits
// wide.
std::optional<Codes> ScalarCodes(const Graph& graph, ValueId value, ValueId scale, ValueId zero, DType dtype);
// Of a DequantizeLinear: the codes it reads. Of a QuantizeLinear: the codes it writes. nullopt for all else.
std::optional<Codes> CodesOf(const Graph& graph, const Node& node);
// The codes behind `value` if DequantizeLinear makes it.
std::optional<Codes> DequantizedCodes(const Graph& graph, ValueId value);
// The attributes y_dtype, y_scale and y_zero_point.
void SetCodes(const Codes& y, std::map<std::string, Attribute>* attributes);

// push_codes takes the codes of both operands off a product of activations, and leaves on it, as these attributes,
// which they were: scales and zero points as of u8. recognize_attention hands them on to kernels that may round so.
constexpr const char* kRoundedScales = "rounded_scales";
constexpr const char* kRoundedZeros = "rounded_zeros";

// The attribute `activation`, with its parameters, that does what this node does; nullopt if none does.
std::optional<std::map<std::string, Attribute>> ActivationOf(const Graph& graph, const Node& node);

}  // namespace tamis
