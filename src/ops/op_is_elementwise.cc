#include "src/ops/op_is_elementwise.h"

#include <algorithm>
#include <array>

namespace tamis {
namespace {

constexpr std::array<std::string_view, 43> kElementwise = {"Abs",
                                                           "Add",
                                                           "And",
                                                           "Cast",
                                                           "Ceil",
                                                           "Celu",
                                                           "Clip",
                                                           "Cos",
                                                           "Div",
                                                           "Elu",
                                                           "Equal",
                                                           "Erf",
                                                           "Exp",
                                                           "Floor",
                                                           "Gelu",
                                                           "Greater",
                                                           "GreaterOrEqual",
                                                           "HardSigmoid",
                                                           "HardSwish",
                                                           "LeakyRelu",
                                                           "Less",
                                                           "LessOrEqual",
                                                           "Log",
                                                           "Max",
                                                           "Min",
                                                           "Mish",
                                                           "Mul",
                                                           "Neg",
                                                           "Not",
                                                           "Or",
                                                           "PRelu",
                                                           "Pow",
                                                           "Reciprocal",
                                                           "Relu",
                                                           "Round",
                                                           "Selu",
                                                           "Sigmoid",
                                                           "Sin",
                                                           "Softplus",
                                                           "Softsign",
                                                           "Sqrt",
                                                           "Sub",
                                                           "Tanh"};

}  // namespace

bool IsElementwise(const Node& node) {
  if (!node.domain.empty()) return node.IsTamis("QuantizedLookup") || node.IsTamis("QuantizedBinary");
  return std::find(kElementwise.begin(), kElementwise.end(), node.op) != kElementwise.end() || node.Is("Where") ||
         node.Is("Swish") || node.Is("QuantizeLinear") || node.Is("DequantizeLinear");
}

}  // namespace tamis
