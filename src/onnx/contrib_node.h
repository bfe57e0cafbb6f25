// One operator of com.microsoft or ai.onnx.ml while it is expanded: what it is, and the nodes of ONNX that take its
// place.
#pragma once

#include <onnx-ml.pb.h>

#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "src/onnx/names.h"

namespace tamis {

// A graph whose nodes are expanded.
struct ContribScope {
  onnx::GraphProto* graph = nullptr;
  int64_t opset = 0;  // of ai.onnx
  NameSet* names = nullptr;
  std::unordered_map<std::string, onnx::TensorProto*> initializers = {};
  std::unordered_map<std::string, size_t> ranks = {};  // of values that the file declares with a shape
  std::unordered_map<std::string, onnx::ValueInfoProto*> declarations = {};
  std::unordered_map<std::string, std::string> views = {};  // results of Reshape of initializers, by their names
  std::unordered_set<std::string> retyped = {};             // initializers whose views are no longer such
};

class ContribNode {
 public:
  using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;
  using AttributeValue = std::variant<int64_t, float, std::string, std::vector<int64_t>>;
  using Attributes = std::vector<std::pair<std::string, AttributeValue>>;
  using Names = std::vector<std::string>;

  ContribNode(ContribScope& scope, const onnx::NodeProto& node, Nodes* out) : scope_(scope), node_(node), out_(out) {}

  const onnx::NodeProto& proto() const { return node_; }
  int num_inputs() const { return node_.input_size(); }
  bool Has(int i) const { return i < node_.input_size() && !node_.input(i).empty(); }
  // "" for an omitted one.
  std::string In(int i) const { return Has(i) ? node_.input(i) : std::string(); }
  bool Wants(int output) const { return output < node_.output_size() && !node_.output(output).empty(); }
  bool HasAttribute(const std::string& name) const;
  int64_t Int(const std::string& name, int64_t otherwise) const;
  float Float(const std::string& name, float otherwise) const;
  std::string String(const std::string& name, const std::string& otherwise) const;
  std::vector<int64_t> Ints(const std::string& name) const;
  std::vector<float> Floats(const std::string& name) const;
  std::vector<std::string> Strings(const std::string& name) const;

  // What the file says of a value; nullopt if nothing.
  std::optional<size_t> Rank(const std::string& value) const;
  // An initializer of this graph; null for any other value.
  onnx::TensorProto* Initializer(const std::string& value) const;

  // The initializer that a value is or has the elements of; "" for any other value.
  std::string Stored(const std::string& value) const;
  // The elements of an initializer are packed otherwise than it says.
  void Retype(const std::string& initializer, onnx::TensorProto::DataType dtype,
              const std::vector<int64_t>& dims) const;

  // A node of ai.onnx; its first output. Trailing omitted inputs are dropped.
  std::string Emit(const std::string& op, Names inputs, const Attributes& attributes = {});
  // The same with `outputs` of them.
  Names EmitMany(const std::string& op, Names inputs, const Attributes& attributes, size_t outputs);
  // The same with all attributes of this node but those named.
  std::string EmitLike(const std::string& op, Names inputs, const std::vector<std::string>& without = {});
  // The node that was emitted last, for what the functions above do not say.
  onnx::NodeProto* Last() { return out_->Mutable(out_->size() - 1); }
  // Output `i` of this node is `value`. A value is given once, and not read afterwards.
  void Give(int i, const std::string& value);
  // The outputs of this node are those of the node that was emitted last.
  void GiveAll();

  // x, or x + y where there is a y.
  std::string AddIf(const std::string& x, const std::string& y) { return y.empty() ? x : Emit("Add", {x, y}); }
  std::string IntsConstant(const std::vector<int64_t>& values);
  std::string FloatConstant(float value);
  // Of the type of `x`; before opset 15, which has no CastLike, float32.
  std::string ScalarLike(float value, const std::string& x);
  std::string FloatsConstant(std::span<const float> values);
  std::string MatrixConstant(std::span<const float> values, int64_t columns);
  std::string StringsConstant(const std::vector<std::string>& values);
  // A tensor of one-byte elements, or of packed ones: `bytes` as they lie.
  std::string BytesConstant(onnx::TensorProto::DataType dtype, const std::vector<int64_t>& dims, std::string bytes);

  // What older operator sets spell otherwise.
  std::string Unsqueeze(const std::string& x, const std::vector<int64_t>& axes);
  std::string ReduceSum(const std::string& x, const std::vector<int64_t>& axes, bool keep);
  std::string ReduceMean(const std::string& x, const std::vector<int64_t>& axes, bool keep);
  std::string ReduceMax(const std::string& x, const std::vector<int64_t>& axes, bool keep);
  // Equal parts, or parts of these sizes.
  Names Split(const std::string& x, int64_t axis, size_t parts, const std::vector<int64_t>& sizes = {});
  std::string Reshape(const std::string& x, const std::vector<int64_t>& shape);
  std::string Transpose(const std::string& x, const std::vector<int64_t>& perm);
  // A dimension, int64[1].
  std::string SizeOf(const std::string& x, int64_t axis);
  // 0, 1, ... as many as int64[1] `count` says.
  std::string Places(const std::string& count);

 private:
  const onnx::AttributeProto* Find(const std::string& name) const;
  std::string Reduce(const std::string& op, int64_t axes_by_input, const std::string& x,
                     const std::vector<int64_t>& axes, bool keep);
  std::string Constant(onnx::TensorProto tensor);

  ContribScope& scope_;
  const onnx::NodeProto& node_;
  Nodes* out_;
};

}  // namespace tamis
