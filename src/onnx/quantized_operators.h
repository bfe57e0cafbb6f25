// The quantised operators of com.microsoft that onnxruntime's operator format has and ONNX has not.
#pragma once

#include <onnx-ml.pb.h>

namespace tamis {

// Replaces QLinearAdd, QLinearMul, QLinearConcat, QLinearSigmoid, QLinearLeakyRelu, QLinearSoftmax, QLinearAveragePool,
// QLinearGlobalAveragePool and QGemm, in the main graph and in nested ones, by what defines them: DequantizeLinear of
// their operands, the operator on floats, QuantizeLinear of its result. The passes make int8 kernels of these. A node
// with another number of operands, or with activations channels last, stays as it is and is refused by its name.
void ExpandQuantizedOperators(onnx::ModelProto* model);

}  // namespace tamis
