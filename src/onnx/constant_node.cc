#include "src/onnx/constant_node.h"

#include "src/onnx/dtypes.h"
#include "src/onnx/names.h"
#include "src/onnx/problems.h"
#include "src/onnx/tensor_proto.h"

namespace tamis {

bool IsConstantNode(const onnx::NodeProto& node) {
  return node.op_type() == "Constant" && CanonicalDomain(node.domain()).empty() && node.input_size() == 0 &&
         node.output_size() == 1 && !node.output(0).empty();
}

bool IsReadable(const onnx::TensorProto& proto) {
  return ReadDType(proto.data_type()).ok();
}

Result<Tensor> ReadConstantNode(onnx::NodeProto* node, ExternalData* external, bool* file_error, bool* refuse_on_use) {
  *file_error = false;
  *refuse_on_use = false;
  if (node->attribute_size() != 1) {
    return UserError("has {} attributes; exactly one must give the value", node->attribute_size());
  }
  auto* attribute = node->mutable_attribute(0);
  const std::string& name = attribute->name();
  if (name == "value") {
    *refuse_on_use = !IsReadable(attribute->t());
    return ReadTensor(attribute->mutable_t(), external, file_error);
  }
  if (name == "sparse_value") {
    *refuse_on_use = !IsReadable(attribute->sparse_tensor().values());
    return ReadSparseTensor(attribute->mutable_sparse_tensor(), external, file_error);
  }
  if (name == "value_float") return Tensor::Float(attribute->f());
  if (name == "value_floats") {
    const std::span<const float> values(attribute->floats().data(), static_cast<size_t>(attribute->floats_size()));
    return Tensor::Of<float>(DType::kFloat32, {attribute->floats_size()}, values);
  }
  if (name == "value_int") {
    const int64_t value = attribute->i();
    return Tensor::Of<int64_t>(DType::kInt64, {}, std::span<const int64_t>(&value, 1));
  }
  if (name == "value_ints") {
    return Tensor::Int64s({attribute->ints().data(), static_cast<size_t>(attribute->ints_size())});
  }
  if (name == "value_string") return Tensor::Strings({}, {attribute->s()});
  if (name == "value_strings") {
    return Tensor::Strings({attribute->strings_size()}, {attribute->strings().begin(), attribute->strings().end()});
  }
  return UserError("attribute {} gives no value that the operator set knows", Quote(name));
}

}  // namespace tamis
