#include "src/onnx/quantized_operators.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "src/onnx/names.h"

namespace tamis {
namespace {

using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

// Where a node has its operands: x, scale and zero point in turn; then scale and zero point of the result.
struct Form {
  std::string op;  // on floats
  int operands = 1;
};

const std::map<std::string, Form>& Forms() {
  static const std::map<std::string, Form> kForms = {
      {"QLinearAdd", {"Add", 2}},
      {"QLinearMul", {"Mul", 2}},
      {"QLinearSigmoid", {"Sigmoid", 1}},
      {"QLinearLeakyRelu", {"LeakyRelu", 1}},
      {"QLinearSoftmax", {"Softmax", 1}},
      {"QLinearAveragePool", {"AveragePool", 1}},
      {"QLinearGlobalAveragePool", {"GlobalAveragePool", 1}},
  };
  return kForms;
}

int64_t IntAttribute(const onnx::NodeProto& node, const std::string& name, int64_t otherwise) {
  for (const auto& attribute : node.attribute()) {
    if (attribute.name() == name) return attribute.i();
  }
  return otherwise;
}

class Expander {
 public:
  explicit Expander(const onnx::GraphProto& graph) { CollectNames(graph, &names_); }

  void Run(onnx::GraphProto* graph) {
    Nodes expanded;
    for (onnx::NodeProto& node : *graph->mutable_node()) {
      for (auto& attribute : *node.mutable_attribute()) {
        if (attribute.has_g()) Run(attribute.mutable_g());
      }
      if (node.domain() != "com.microsoft" || !Expand(node, &expanded)) *expanded.Add() = std::move(node);
    }
    graph->mutable_node()->Swap(&expanded);
  }

 private:
  bool Expand(const onnx::NodeProto& node, Nodes* out) {
    if (node.output_size() != 1 || IntAttribute(node, "channels_last", 0) != 0) return false;
    if (node.op_type() == "QLinearConcat") return ExpandConcat(node, out);
    if (node.op_type() == "QGemm") return ExpandGemm(node, out);
    const auto form = Forms().find(node.op_type());
    if (form == Forms().end()) return false;
    const int count = 3 * form->second.operands;
    if (node.input_size() != count + 1 && node.input_size() != count + 2) return false;
    std::vector<std::string> operands;
    for (int i = 0; i < count; i += 3) operands.push_back(Dequantized(node, i, out));
    Finish(node, form->second.op, operands, count, out);
    return true;
  }

  bool ExpandConcat(const onnx::NodeProto& node, Nodes* out) {
    if (node.input_size() < 5 || (node.input_size() - 2) % 3 != 0) return false;
    std::vector<std::string> operands;
    for (int i = 2; i < node.input_size(); i += 3) operands.push_back(Dequantized(node, i, out));
    Finish(node, "Concat", operands, 0, out);
    return true;
  }

  // The bias is of int32, in units of the product of both scales.
  bool ExpandGemm(const onnx::NodeProto& node, Nodes* out) {
    if (node.input_size() < 6 || node.input_size() > 9) return false;
    std::vector<std::string> operands = {Dequantized(node, 0, out)};
    operands.push_back(Dequantized(node, 3, out, IntAttribute(node, "transB", 0) != 0 ? 0 : 1));
    if (node.input_size() > 6 && !node.input(6).empty()) {
      const std::string unit = Emit(node, "Mul", {node.input(1), node.input(4)}, out)->output(0);
      onnx::NodeProto* bias = Emit(node, "DequantizeLinear", {node.input(6), unit}, out);
      SetInt(bias, "axis", 0);
      operands.push_back(bias->output(0));
    }
    if (node.input_size() > 7 && !node.input(7).empty()) {
      Finish(node, "Gemm", operands, 7, out);
      return true;
    }
    onnx::NodeProto* gemm = Emit(node, "Gemm", operands, out);
    CopyAttributes(node, gemm);
    gemm->set_output(0, node.output(0));
    return true;
  }

  static void SetInt(onnx::NodeProto* node, const std::string& name, int64_t value) {
    auto* attribute = node->add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INT);
    attribute->set_i(value);
  }

  static void CopyAttributes(const onnx::NodeProto& from, onnx::NodeProto* to) {
    for (const auto& attribute : from.attribute()) {
      if (attribute.name() != "channels_last" && attribute.name() != "opset") *to->add_attribute() = attribute;
    }
  }

  // A node of ai.onnx with one new output.
  onnx::NodeProto* Emit(const onnx::NodeProto& node, const std::string& op, const std::vector<std::string>& inputs,
                        Nodes* out) {
    onnx::NodeProto* made = out->Add();
    made->set_op_type(op);
    made->set_name(node.name().empty() ? "" : node.name() + "/" + op);
    for (const std::string& input : inputs) made->add_input(input);
    made->add_output(names_.Unique(node.output(0) + "_" + op));
    return made;
  }

  std::string Dequantized(const onnx::NodeProto& node, int at, Nodes* out, int64_t axis = -1) {
    onnx::NodeProto* made =
        Emit(node, "DequantizeLinear", {node.input(at), node.input(at + 1), node.input(at + 2)}, out);
    if (axis >= 0) SetInt(made, "axis", axis);
    return made->output(0);
  }

  // `op` of the operands, quantised by the scale at input `scale` and the zero point behind it, if there is one.
  void Finish(const onnx::NodeProto& node, const std::string& op, const std::vector<std::string>& operands, int scale,
              Nodes* out) {
    onnx::NodeProto* made = Emit(node, op, operands, out);
    CopyAttributes(node, made);
    std::vector<std::string> inputs = {made->output(0), node.input(scale)};
    if (scale + 1 < node.input_size()) inputs.push_back(node.input(scale + 1));
    onnx::NodeProto* quantize = Emit(node, "QuantizeLinear", inputs, out);
    quantize->set_output(0, node.output(0));
  }

  NameSet names_;
};

bool HasContrib(const onnx::ModelProto& model) {
  return std::any_of(model.opset_import().begin(), model.opset_import().end(),
                     [](const auto& opset) { return opset.domain() == "com.microsoft"; });
}

}  // namespace

void ExpandQuantizedOperators(onnx::ModelProto* model) {
  if (HasContrib(*model)) Expander(model->graph()).Run(model->mutable_graph());
}

}  // namespace tamis
