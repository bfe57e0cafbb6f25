// OpDef: all that Tamis knows of one operator. One file per operator defines one:
//
//   src/ops/<snake_name>.cc   ->   extern const OpDef op_<snake_name>;
//
// CMake collects the files by name at configure time; there is no list to edit. A definition holds the shape rule
// (symbolic dimensions kept), the reference evaluation (double accumulation, any supported dtype, ONNX's own layout),
// the opset it is understood from, and which input may be pruned to 2:4.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "src/ir/graph.h"
#include "tamis/datum.h"
#include "tamis/status.h"

namespace tamis {

// What a shape rule sees and sets.
class InferContext {
 public:
  InferContext(const Graph& graph, const Node& node, int64_t opset);
  const Node& node() const { return node_; }
  int64_t opset() const { return opset_; }
  size_t NumInputs() const { return node_.inputs.size(); }
  size_t NumOutputs() const { return node_.outputs.size(); }
  bool HasInput(size_t i) const { return node_.input(i) != kNoValue; }
  // nullptr if the input is omitted.
  const Type* InputType(size_t i) const;
  DType InputDType(size_t i) const { return InputType(i) ? InputType(i)->dtype : DType::kUndefined; }
  // nullptr if omitted or of unknown rank.
  const Shape* InputShape(size_t i) const;
  const Tensor* InputConstant(size_t i) const;
  // The elements of a small integer tensor, constant or computed from shapes; nullopt if not known.
  std::optional<std::vector<Dim>> InputContents(size_t i) const;

  void SetOutput(size_t i, Type type);
  void SetOutput(size_t i, DType dtype, Shape shape) { SetOutput(i, Type::Tensor(dtype, std::move(shape))); }
  // Rank unknown: only the dtype is set.
  void SetOutputDType(size_t i, DType dtype);
  void SetOutputContents(size_t i, std::vector<Dim> contents);
  // A dimension that depends on the input's elements (how many are not zero, ...): a symbol of its own, named after the
  // output, that no graph input binds. Graphs with such dimensions run node by node.
  Dim DataDim(size_t output, size_t axis) const;
  // For operators with regions: runs shape inference over the body of region `i`, whose inputs are `types` (explicit
  // inputs first; an undefined tensor type leaves what the body declares) and the captures. Types of the body's
  // outputs, or all errors of the body.
  Result<std::vector<Type>> InferRegion(size_t i, std::span<const Type> types);
  // An error that names the node: use for what a user's file got wrong.
  Status Error(const std::string& what) const;

  std::vector<std::optional<Type>> output_types;
  std::vector<std::optional<std::vector<Dim>>> output_contents;

 private:
  const Graph& graph_;
  const Node& node_;
  int64_t opset_;
};

// What a reference evaluation sees and sets. Inputs are ready; an omitted one is nullptr.
struct EvalContext {
  const Node& node;
  int64_t opset = 0;
  std::span<const Tensor* const> inputs;
  std::vector<Tensor> outputs;  // sized to node.outputs; the evaluation fills each

  const Tensor* input(size_t i) const { return i < inputs.size() ? inputs[i] : nullptr; }
  Status Error(const std::string& what) const;
};

// Runs a region's body for an operator that has it. `inputs` are the body's explicit inputs; captures are added by
// whoever runs the graph. Bodies may be run any number of times.
class RegionRunner {
 public:
  virtual ~RegionRunner() = default;
  virtual Result<std::vector<Datum>> Run(size_t region, std::span<const Datum> inputs) = 0;
};

// What the evaluation of an operator on sequences, optionals or regions sees and sets. An omitted input is nullptr.
struct DataContext {
  const Node& node;
  int64_t opset = 0;
  std::span<const Datum* const> inputs;
  std::vector<Datum> outputs;  // sized to node.outputs
  RegionRunner* regions = nullptr;

  const Datum* input(size_t i) const { return i < inputs.size() ? inputs[i] : nullptr; }
  Status Error(const std::string& what) const;
};

// Which operand of the operator is a weight that may follow a 2:4 pattern.
struct SparseOperand {
  int weight_input = -1;  // -1: the operator has none
};

// A case that drives the operator's own tests: reference against kernels, and the shape rule against the reference.
struct OpTestCase {
  std::vector<Tensor> inputs;
  std::map<std::string, Attribute> attributes;
};

struct OpDef {
  std::string_view name = {};
  std::string_view domain = {};  // "" or kTamisDomain
  int64_t since_opset = 1;       // the oldest opset whose meaning the definition covers, until superseded
  Status (*infer)(InferContext&) = nullptr;
  Status (*eval)(EvalContext&) = nullptr;
  SparseOperand sparse = {};
  std::vector<OpTestCase> (*test_cases)() = nullptr;  // seeded; may be null
  // How EvaluateNode feeds f16 and bf16 operands: widened to f32 (results narrowed again) or, for operators that only
  // move or compare elements, as they are.
  bool widen_half = true;
  // Operators on sequences, optionals and regions have this instead of `eval`. They run node by node and are never
  // folded.
  Status (*eval_data)(DataContext&) = nullptr;
  void* gradient = nullptr;  // the place of the gradient rule; none yet
};

// nullptr if unknown.
const OpDef* FindOp(std::string_view name, std::string_view domain);
std::span<const OpDef* const> AllOps();

// Runs the shape rule of one node and stores types and contents in the graph. A rule's result is merged with what the
// value already had: a known constant dimension wins over a symbol, two different constants are an error.
Status InferNode(Graph& graph, NodeId id);
// All nodes in order; collects every error, not the first.
Status InferShapes(Graph& graph);
// Evaluates a node by its reference. Float results are converted to `output_dtypes` where given (kUndefined: leave);
// without it, results of widened operands take the first half-precision operand's dtype.
Result<std::vector<Tensor>> EvaluateNode(const Node& node, int64_t opset, std::span<const Tensor* const> inputs,
                                         std::span<const DType> output_dtypes = {});
// The same for any operator: those with eval_data directly, the others if all their inputs are tensors.
Result<std::vector<Datum>> EvaluateData(const Node& node, int64_t opset, std::span<const Datum* const> inputs,
                                        std::span<const DType> output_dtypes, RegionRunner* regions);

}  // namespace tamis
