// Nodes of operator Constant, which become constants of the graph.
#pragma once

#include <onnx-ml.pb.h>

#include "src/onnx/external_data.h"
#include "tamis/status.h"
#include "tamis/tensor.h"

namespace tamis {

// False also for one that has no named output: there is nothing that it defines.
bool IsConstantNode(const onnx::NodeProto& node);

// The value, from whichever attribute holds it. `refuse_on_use`: the error matters only if somebody reads the value
// (strings, unsupported element types). `file_error`: see ExternalData::Read.
Result<Tensor> ReadConstantNode(onnx::NodeProto* node, ExternalData* external, bool* file_error, bool* refuse_on_use);

// Whether the element type is one that a Tensor can hold.
bool IsReadable(const onnx::TensorProto& proto);

}  // namespace tamis
