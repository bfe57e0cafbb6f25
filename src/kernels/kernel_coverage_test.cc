// Which operators run their reference evaluation, derived from the operators' own test cases: every case, in its own
// element types and with its f32 operands replaced by every other type that the operator takes, must have a kernel.
// What has none stands in the list below with the reason; a list entry that has a kernel by now is a failure too, so
// that the list can only shrink.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "src/base/hash.h"
#include "src/kernels/kernel.h"
#include "src/kernels/problem.h"
#include "src/kernels/widened.h"
#include "src/ops/op_def.h"

namespace tamis {
namespace {

constexpr int64_t kOpset = 25;

Result<Tensor> Converted(const Tensor& tensor, DType dtype) {
  Node cast;
  cast.op = "Cast";
  cast.attributes["to"] = static_cast<int64_t>(dtype);
  cast.inputs = {0};
  cast.outputs = {1};
  const Tensor* inputs[] = {&tensor};
  TAMIS_ASSIGN_OR_RETURN(std::vector<Tensor> results, EvaluateNode(cast, kOpset, inputs));
  return results[0];
}

Operand OperandOf(const Tensor& tensor, bool constant) {
  Operand operand;
  if (!tensor.Defined()) return operand;
  operand.dtype = tensor.dtype();
  operand.dims = tensor.dims();
  if (constant) {
    operand.constant = &tensor;
    operand.constant_hash = HashTensor(tensor);
  }
  return operand;
}

// What is known when the node is prepared: as in most networks, numbers that steer (axes, shapes, pads), or all but
// the first operand.
enum class Known { kIntegers, kAllButFirst };

bool HasKernel(const Node& node, const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs, Known known) {
  Problem problem;
  problem.node = &node;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const bool number = inputs[i].Defined() && IsInteger(inputs[i].dtype());
    problem.inputs.push_back(OperandOf(inputs[i], i > 0 && (number || known == Known::kAllButFirst)));
  }
  for (const Tensor& output : outputs) problem.outputs.push_back(OperandOf(output, false));
  return !CandidateKernels(problem, nullptr).empty() || WidenedKernel(problem) != nullptr;
}

// "f32 operands of the case in `dtype`"; nothing if the operator does not take them.
void CheckCase(const OpDef& op, const OpTestCase& c, DType dtype,
               std::map<std::string, std::set<std::string>>* without) {
  std::vector<Tensor> inputs;
  bool replaced = false;
  for (const Tensor& input : c.inputs) {
    const bool replace = input.Defined() && input.dtype() == DType::kFloat32 && dtype != DType::kFloat32;
    replaced = replaced || replace;
    if (!replace) {
      inputs.push_back(input);
      continue;
    }
    auto converted = Converted(input, dtype);
    ASSERT_TRUE(converted.ok()) << converted.status().message();
    inputs.push_back(*converted);
  }
  if (!replaced && dtype != DType::kFloat32) return;
  Node node;
  node.op = op.name;
  node.domain = op.domain;
  node.attributes = c.attributes;
  std::vector<const Tensor*> operands;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].Defined() && BitSize(inputs[i].dtype()) == 0) return;  // strings
    operands.push_back(inputs[i].Defined() ? &inputs[i] : nullptr);
    node.inputs.push_back(inputs[i].Defined() ? static_cast<ValueId>(i) : kNoValue);
  }
  node.outputs.push_back(static_cast<ValueId>(inputs.size()));
  if (IsView(node)) return;
  const int64_t opset = op.domain.empty() ? std::max(kOpset, op.since_opset) : 1;
  const auto results = EvaluateNode(node, opset, operands);
  if (!results.ok() || results->empty() || BitSize((*results)[0].dtype()) == 0) return;
  if (HasKernel(node, inputs, *results, Known::kIntegers)) return;
  const bool needs_constants = HasKernel(node, inputs, *results, Known::kAllButFirst);
  const DType first = inputs.empty() || !inputs[0].Defined() ? (*results)[0].dtype() : inputs[0].dtype();
  (*without)[std::string(op.name)].insert(std::string(Name(first)) + (needs_constants ? " variable" : ""));
}

// All f64, and numbers of every type, in the order of their names.
constexpr std::string_view kDoubles = "float64";
constexpr std::string_view kFloats = "float32, float64";
constexpr std::string_view kNumbers = "float32, float64, int16, int32, int64, int8, uint32, uint64, uint8";
constexpr std::string_view kAll = "bool, float32, float64, int16, int32, int64, int8, uint32, uint64, uint8";
// " variable": where operands other than the first are not constant.
constexpr std::string_view kVariable = "float32 variable";

struct Entry {
  std::string_view types;
  std::string_view why;
};

constexpr std::string_view kRewritten =
    "ONNX's own layout: passes make it an operator of the tamis domain, which has kernels";
constexpr std::string_view kWeights = "products with weights that are computed: passes leave them MatMul or Conv";
constexpr std::string_view kRare64 = "f64 networks that were met have arithmetic, reductions and selections only";
constexpr std::string_view kFolded = "of constants: folded when the network is built or its shapes are known";
constexpr std::string_view kShapesOnly = "known from shapes: folded";
constexpr std::string_view kDataShape = "the result's shape depends on the elements, which no kernel can decide";
constexpr std::string_view kTraining = "losses and sampling: of training, or once at a network's end on few elements";
constexpr std::string_view kNotYet = "not written yet";
constexpr std::string_view kMlRewritten = "a pass writes it in operators of ai.onnx, which have kernels";
constexpr std::string_view kStorage = "a conversion between types that only storage has";

const std::map<std::string_view, Entry>& Listed() {
  static const std::map<std::string_view, Entry> kEntries = {
      {"AffineGrid", {kFloats, kNotYet}},
      {"Attention",
       {kFloats, "the forms with a past or unusual masks; passes rewrite the common ones to tamis.Attention"}},
      {"ArrayFeatureExtractor", {kAll, kMlRewritten}},
      {"AveragePool", {"float64", kRewritten}},
      {"BatchNormalization", {kFloats, kRewritten}},
      {"Bernoulli", {kFloats, kTraining}},
      {"Binarizer", {kNumbers, kMlRewritten}},
      {"BitCast", {"float32, int32, int64, uint32", "a copy; met in no network yet"}},
      {"BlackmanWindow", {"int64", kFolded}},
      {"Cast", {kAll, kStorage}},
      {"CausalConvWithState", {kFloats, kNotYet}},
      {"CenterCropPad", {kAll, kNotYet}},
      {"ChannelsLastConv", {kVariable, kWeights}},
      {"ChannelsLastConvTranspose", {kVariable, kWeights}},
      {"Col2Im", {"float64, int16, int32, int64, int8, uint32, uint64, uint8", "networks fold images of f32"}},
      {"Compress", {kAll, kDataShape}},
      {"Constant", {"float32, int64, int8", kFolded}},
      {"Conv", {kFloats, kRewritten}},
      {"ConvTranspose", {"float32 variable, float64", kRewritten}},
      {"DFT", {kFloats, kRare64}},
      {"DeformConv", {kDoubles, kRare64}},
      {"Det", {kFloats, kNotYet}},
      {"Dropout", {kFloats, "with a mask as its output, which only training asks for; else passes drop it"}},
      {"Einsum", {kNumbers, "passes make products of two operands MatMul; traces and diagonals are left"}},
      {"EyeLike", {kAll, kFolded}},
      {"Float8Linear", {"float8_e4m3fn", "of GPUs alone: FuseForCuda makes it there"}},
      {"GRU", {kDoubles, kRare64}},
      {"Gelu", {kDoubles, kRare64}},
      {"Gemm", {"float32, float64, int32, int64, uint32, uint64", kRewritten}},
      {"GlobalLpPool", {kFloats, "norms of other orders than 2"}},
      {"GridSample", {kDoubles, kRare64}},
      {"GroupNormalization", {kDoubles, kRare64}},
      {"HammingWindow", {"int64", kFolded}},
      {"HannWindow", {"int64", kFolded}},
      {"Hardmax", {kDoubles, kRare64}},
      {"ImageDecoder", {"uint8", "decoding is sequential; done once a picture"}},
      {"InstanceNormalization", {kDoubles, kRare64}},
      {"LRN", {kDoubles, kRare64}},
      {"LSTM", {kDoubles, kRare64}},
      {"LabelEncoder", {kAll, "looks up single labels in a table of hashes, most of them strings"}},
      {"LayerNormalization", {kFloats, kRewritten}},
      {"Linear", {kVariable, kWeights}},
      {"LinearAttention", {kFloats, kNotYet}},
      {"LogSoftmax", {kDoubles, kRare64}},
      {"LpNormalization", {kDoubles, kRare64}},
      {"MatMul",
       {"float32, float64, int32, int64, uint32, uint64",
        "f64 and integers, and vectors; passes make products with weights Linear"}},
      {"Max", {"float64, int16, int32, int64, int8, uint32, uint64, uint8", kRare64}},
      {"MaxRoiPool", {kFloats, kNotYet}},
      {"MaxUnpool", {kFloats, "f64, and results larger than what the window gives"}},
      {"Mean", {kDoubles, kRare64}},
      {"MeanVarianceNormalization", {kDoubles, kRare64}},
      {"MelWeightMatrix", {"int64", kFolded}},
      {"Min", {"float64, int16, int32, int64, int8, uint32, uint64, uint8", kRare64}},
      {"Multinomial", {kFloats, kTraining}},
      {"NegativeLogLikelihoodLoss", {kFloats, kTraining}},
      {"NonMaxSuppression", {"float32", kDataShape}},
      {"NonZero", {"int64", kDataShape}},
      {"OneHotEncoder", {kAll, kMlRewritten}},
      {"Pow", {"int16, int8, uint32, uint64, uint8", "a base and an exponent of two narrow types"}},
      {"QLinearConv", {"uint8", "passes make it a quantised product; what they leave has per-channel zero points"}},
      {"QLinearMatMul", {"int8", "passes make it a quantised product; what they leave has zero points a row"}},
      {"QuantizeLinear", {"int32", "int32 operands with integer scales"}},
      {"RMSNormalization", {kDoubles, kRare64}},
      {"RNN", {kDoubles, kRare64}},
      {"RandomNormalLike", {kDoubles, kTraining}},
      {"RandomUniform", {kDoubles, kTraining}},
      {"RandomUniformLike", {kDoubles, kTraining}},
      {"Range", {kNumbers, kFolded}},
      {"Resize",
       {"float32, float32 variable, float64, float64 variable, int16, int32, int64, int8, uint32, uint64, uint8",
        "tf_crop_and_resize and scales computed at run time"}},
      {"RoiAlign", {kFloats, "of f64; and without coordinate_transformation_mode, which a pass writes out"}},
      {"RotaryEmbedding", {kFloats, kNotYet}},
      {"STFT", {kDoubles, kRare64}},
      {"Shape", {kAll, kShapesOnly}},
      {"Size", {kAll, kShapesOnly}},
      {"Softmax", {kDoubles, kRare64}},
      {"SoftmaxCrossEntropyLoss", {kFloats, kTraining}},
      {"Sum", {kDoubles, kRare64}},
      {"SwiGLU", {kDoubles, kRare64}},
      {"TfIdfVectorizer", {"int64", "counts n-grams of a few hundred words"}},
      {"Unique", {"int64", kDataShape}},
      {"Upsample", {"float32 variable, float64, float64 variable", kRare64}},
  };
  return kEntries;
}

TEST(KernelCoverage, WhatHasNoKernelIsListed) {
  std::map<std::string, std::set<std::string>> without;
  for (const OpDef* op : AllOps()) {
    if (op->test_cases == nullptr || op->eval == nullptr) continue;
    for (const OpTestCase& c : op->test_cases()) {
      for (const DType dtype : {DType::kFloat32, DType::kFloat64, DType::kInt64, DType::kInt32, DType::kInt16,
                                DType::kInt8, DType::kUInt8, DType::kUInt32, DType::kUInt64, DType::kBool}) {
        CheckCase(*op, c, dtype, &without);
      }
    }
  }
  for (const auto& [op, dtypes] : without) {
    std::string text;
    for (const std::string& dtype : dtypes) text += (text.empty() ? "" : ", ") + dtype;
    const auto entry = Listed().find(op);
    if (entry == Listed().end()) {
      ADD_FAILURE() << op << " of " << text << " has no kernel and is not listed";
    } else {
      EXPECT_EQ(text, entry->second.types) << op << ": the list says '" << entry->second.why << "'";
      EXPECT_FALSE(entry->second.why.empty()) << op;
    }
  }
  for (const auto& [op, entry] : Listed()) {
    EXPECT_TRUE(without.count(std::string(op))) << op << " is listed and has kernels for all its cases";
  }
}

// What f32 can do, f16 and bf16 can as well.
TEST(KernelCoverage, HalfPrecisionHasTheKernelsOfF32) {
  const std::set<std::string_view> about_types = {"BitCast", "Cast", "CastLike", "DequantizeLinear"};
  std::map<std::string, std::set<std::string>> wide, half;
  for (const OpDef* op : AllOps()) {
    if (op->test_cases == nullptr || op->eval == nullptr || about_types.count(op->name) != 0) continue;
    for (const OpTestCase& c : op->test_cases()) {
      CheckCase(*op, c, DType::kFloat32, &wide);
      CheckCase(*op, c, DType::kFloat16, &half);
      CheckCase(*op, c, DType::kBFloat16, &half);
    }
  }
  for (const auto& [op, dtypes] : half) EXPECT_TRUE(wide.count(op)) << op << " of " << *dtypes.begin();
}

}  // namespace
}  // namespace tamis
