#include "src/onnx/contrib_node.h"

#include <algorithm>

namespace tamis {
namespace {

struct Setter {
  onnx::AttributeProto* attribute;
  void operator()(int64_t value) const {
    attribute->set_type(onnx::AttributeProto::INT);
    attribute->set_i(value);
  }
  void operator()(float value) const {
    attribute->set_type(onnx::AttributeProto::FLOAT);
    attribute->set_f(value);
  }
  void operator()(const std::string& value) const {
    attribute->set_type(onnx::AttributeProto::STRING);
    attribute->set_s(value);
  }
  void operator()(const std::vector<int64_t>& values) const {
    attribute->set_type(onnx::AttributeProto::INTS);
    for (const int64_t value : values) attribute->add_ints(value);
  }
};

}  // namespace

const onnx::AttributeProto* ContribNode::Find(const std::string& name) const {
  for (const auto& attribute : node_.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

bool ContribNode::HasAttribute(const std::string& name) const {
  return Find(name) != nullptr;
}

int64_t ContribNode::Int(const std::string& name, int64_t otherwise) const {
  const auto* attribute = Find(name);
  return attribute != nullptr ? attribute->i() : otherwise;
}

float ContribNode::Float(const std::string& name, float otherwise) const {
  const auto* attribute = Find(name);
  return attribute != nullptr ? attribute->f() : otherwise;
}

std::string ContribNode::String(const std::string& name, const std::string& otherwise) const {
  const auto* attribute = Find(name);
  return attribute != nullptr ? attribute->s() : otherwise;
}

std::vector<int64_t> ContribNode::Ints(const std::string& name) const {
  const auto* attribute = Find(name);
  if (attribute == nullptr) return {};
  return {attribute->ints().begin(), attribute->ints().end()};
}

std::vector<float> ContribNode::Floats(const std::string& name) const {
  const auto* attribute = Find(name);
  if (attribute == nullptr) return {};
  return {attribute->floats().begin(), attribute->floats().end()};
}

std::vector<std::string> ContribNode::Strings(const std::string& name) const {
  const auto* attribute = Find(name);
  if (attribute == nullptr) return {};
  return {attribute->strings().begin(), attribute->strings().end()};
}

std::optional<size_t> ContribNode::Rank(const std::string& value) const {
  if (const auto* tensor = Initializer(value)) return static_cast<size_t>(tensor->dims_size());
  const auto found = scope_.ranks.find(value);
  return found == scope_.ranks.end() ? std::nullopt : std::optional(found->second);
}

onnx::TensorProto* ContribNode::Initializer(const std::string& value) const {
  const auto found = scope_.initializers.find(value);
  return found == scope_.initializers.end() ? nullptr : found->second;
}

std::string ContribNode::Stored(const std::string& value) const {
  if (Initializer(value) != nullptr) return value;
  const auto found = scope_.views.find(value);
  return found == scope_.views.end() ? "" : found->second;
}

void ContribNode::Retype(const std::string& initializer, onnx::TensorProto::DataType dtype,
                         const std::vector<int64_t>& dims) const {
  onnx::TensorProto* tensor = Initializer(initializer);
  tensor->set_data_type(dtype);
  tensor->mutable_dims()->Assign(dims.begin(), dims.end());
  scope_.retyped.insert(initializer);
  const auto declared = scope_.declarations.find(initializer);
  if (declared != scope_.declarations.end()) declared->second->clear_type();
}

ContribNode::Names ContribNode::EmitMany(const std::string& op, Names inputs, const Attributes& attributes,
                                         size_t outputs) {
  while (!inputs.empty() && inputs.back().empty()) inputs.pop_back();
  onnx::NodeProto* made = out_->Add();
  made->set_op_type(op);
  made->set_name(node_.name().empty() ? "" : node_.name() + "/" + op);
  for (const std::string& input : inputs) made->add_input(input);
  for (const auto& [name, value] : attributes) {
    onnx::AttributeProto* attribute = made->add_attribute();
    attribute->set_name(name);
    std::visit(Setter{attribute}, value);
  }
  Names results;
  for (size_t i = 0; i < outputs; ++i) {
    results.push_back(scope_.names->Unique(node_.output(0) + "_" + op));
    made->add_output(results.back());
  }
  return results;
}

std::string ContribNode::Emit(const std::string& op, Names inputs, const Attributes& attributes) {
  return EmitMany(op, std::move(inputs), attributes, 1).front();
}

std::string ContribNode::EmitLike(const std::string& op, Names inputs, const std::vector<std::string>& without) {
  std::string result = Emit(op, std::move(inputs));
  onnx::NodeProto* made = out_->Mutable(out_->size() - 1);
  for (const auto& attribute : node_.attribute()) {
    if (std::find(without.begin(), without.end(), attribute.name()) == without.end()) {
      *made->add_attribute() = attribute;
    }
  }
  return result;
}

void ContribNode::Give(int i, const std::string& value) {
  if (!Wants(i)) return;
  onnx::NodeProto* last = out_->Mutable(out_->size() - 1);
  for (std::string& output : *last->mutable_output()) {
    if (output != value) continue;
    output = node_.output(i);
    return;
  }
  onnx::NodeProto* made = out_->Add();
  made->set_op_type("Identity");
  made->set_name(node_.name());
  made->add_input(value);
  made->add_output(node_.output(i));
}

void ContribNode::GiveAll() {
  *out_->Mutable(out_->size() - 1)->mutable_output() = node_.output();
}

std::string ContribNode::Constant(onnx::TensorProto tensor) {
  std::string name = Emit("Constant", {});
  onnx::AttributeProto* attribute = out_->Mutable(out_->size() - 1)->add_attribute();
  attribute->set_name("value");
  attribute->set_type(onnx::AttributeProto::TENSOR);
  *attribute->mutable_t() = std::move(tensor);
  return name;
}

std::string ContribNode::IntsConstant(const std::vector<int64_t>& values) {
  onnx::TensorProto tensor;
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.add_dims(static_cast<int64_t>(values.size()));
  for (const int64_t value : values) tensor.add_int64_data(value);
  return Constant(std::move(tensor));
}

std::string ContribNode::ScalarLike(float value, const std::string& x) {
  const std::string constant = FloatConstant(value);
  return scope_.opset < 15 ? constant : Emit("CastLike", {constant, x});
}

std::string ContribNode::FloatConstant(float value) {
  onnx::TensorProto tensor;
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.add_float_data(value);
  return Constant(std::move(tensor));
}

std::string ContribNode::FloatsConstant(std::span<const float> values) {
  onnx::TensorProto tensor;
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.add_dims(static_cast<int64_t>(values.size()));
  tensor.mutable_float_data()->Assign(values.begin(), values.end());
  return Constant(std::move(tensor));
}

std::string ContribNode::MatrixConstant(std::span<const float> values, int64_t columns) {
  onnx::TensorProto tensor;
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.add_dims(static_cast<int64_t>(values.size()) / columns);
  tensor.add_dims(columns);
  tensor.mutable_float_data()->Assign(values.begin(), values.end());
  return Constant(std::move(tensor));
}

std::string ContribNode::StringsConstant(const std::vector<std::string>& values) {
  onnx::TensorProto tensor;
  tensor.set_data_type(onnx::TensorProto::STRING);
  tensor.add_dims(static_cast<int64_t>(values.size()));
  for (const std::string& value : values) tensor.add_string_data(value);
  return Constant(std::move(tensor));
}

std::string ContribNode::BytesConstant(onnx::TensorProto::DataType dtype, const std::vector<int64_t>& dims,
                                       std::string bytes) {
  onnx::TensorProto tensor;
  tensor.set_data_type(dtype);
  for (const int64_t dim : dims) tensor.add_dims(dim);
  tensor.set_raw_data(std::move(bytes));
  return Constant(std::move(tensor));
}

std::string ContribNode::Unsqueeze(const std::string& x, const std::vector<int64_t>& axes) {
  if (scope_.opset < 13) return Emit("Unsqueeze", {x}, {{"axes", axes}});
  return Emit("Unsqueeze", {x, IntsConstant(axes)});
}

std::string ContribNode::Reduce(const std::string& op, int64_t axes_by_input, const std::string& x,
                                const std::vector<int64_t>& axes, bool keep) {
  const Attributes::value_type keepdims = {"keepdims", int64_t{keep ? 1 : 0}};
  if (scope_.opset < axes_by_input) return Emit(op, {x}, {keepdims, {"axes", axes}});
  return Emit(op, {x, IntsConstant(axes)}, {keepdims});
}

std::string ContribNode::ReduceSum(const std::string& x, const std::vector<int64_t>& axes, bool keep) {
  return Reduce("ReduceSum", 13, x, axes, keep);
}

std::string ContribNode::ReduceMean(const std::string& x, const std::vector<int64_t>& axes, bool keep) {
  return Reduce("ReduceMean", 18, x, axes, keep);
}

std::string ContribNode::ReduceMax(const std::string& x, const std::vector<int64_t>& axes, bool keep) {
  return Reduce("ReduceMax", 18, x, axes, keep);
}

ContribNode::Names ContribNode::Split(const std::string& x, int64_t axis, size_t parts,
                                      const std::vector<int64_t>& sizes) {
  Attributes attributes = {{"axis", axis}};
  Names inputs = {x};
  if (sizes.empty()) {
    if (scope_.opset >= 18) attributes.emplace_back("num_outputs", static_cast<int64_t>(parts));
  } else if (scope_.opset < 13) {
    attributes.emplace_back("split", sizes);
  } else {
    inputs.push_back(IntsConstant(sizes));
  }
  return EmitMany("Split", inputs, attributes, parts);
}

std::string ContribNode::Reshape(const std::string& x, const std::vector<int64_t>& shape) {
  return Emit("Reshape", {x, IntsConstant(shape)});
}

std::string ContribNode::Transpose(const std::string& x, const std::vector<int64_t>& perm) {
  return Emit("Transpose", {x}, {{"perm", perm}});
}

std::string ContribNode::SizeOf(const std::string& x, int64_t axis) {
  return Emit("Gather", {Emit("Shape", {x}), IntsConstant({axis})});
}

std::string ContribNode::Places(const std::string& count) {
  const auto scalar = [this](const std::string& x) { return Reshape(x, {}); };
  return Emit("Range", {scalar(IntsConstant({0})), scalar(count), scalar(IntsConstant({1}))});
}

}  // namespace tamis
