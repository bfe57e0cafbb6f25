#include "src/tuner/roofline.h"

#include <algorithm>

#include "src/base/hash.h"
#include "src/tuner/problem_text.h"

namespace tamis {
namespace {

Operand Activations(DType dtype, Dims dims) {
  Operand operand;
  operand.dtype = dtype;
  operand.dims = std::move(dims);
  return operand;
}

Operand Constant(const Tensor& tensor) {
  Operand operand = Activations(tensor.dtype(), tensor.dims());
  operand.constant = &tensor;
  operand.constant_hash = HashTensor(tensor);
  return operand;
}

// Operations a second of a product of some 1.5 MB of operands; 0 where no kernel computes it.
Result<double> ProductSpeed(Tuner& tuner, DType dtype, int threads) {
  // As many bytes of depth in every type: tiles multiply bytes so fast that storing the sums of a short one takes
  // longer.
  constexpr int64_t kRows = 480, kOutputs = 256, kDepthBytes = 2048;
  const bool int8 = dtype == DType::kUInt8;
  const int64_t depth = kDepthBytes * 8 / static_cast<int64_t>(BitSize(dtype));
  Node node;
  node.op = int8 ? "QuantizedLinear" : "Linear";
  node.domain = std::string(kTamisDomain);
  const Tensor weight = RandomTensor(int8 ? DType::kInt8 : dtype, {kOutputs, depth}, Pattern::kDense, 1);
  const Tensor scale = RandomTensor(DType::kFloat32, {kOutputs}, Pattern::kDense, 2);
  Problem problem;
  problem.node = &node;
  problem.threads = threads;
  problem.inputs = {Activations(dtype, {kRows * threads, depth}), Constant(weight)};
  if (int8) {
    node.attributes["x_zero_point"] = int64_t{128};
    problem.inputs.push_back(Constant(scale));
  } else {
    node.attributes["output_dtype"] = static_cast<int64_t>(dtype);
  }
  problem.outputs = {Activations(int8 ? DType::kFloat32 : dtype, {kRows * threads, kOutputs})};
  TAMIS_ASSIGN_OR_RETURN(const TunedNode tuned, tuner.TimeProblem(problem));
  return tuned.seconds > 0 ? FloatingOperations(problem) / tuned.seconds : 0.0;
}

Result<double> CopySpeed(Tuner& tuner, int threads) {
  const Dims dims = {int64_t{2} << 20};  // 16 MB read and written: beyond any second-level cache
  Node node;
  node.op = "Relu";
  Problem problem;
  problem.node = &node;
  problem.threads = threads;
  problem.inputs = {Activations(DType::kFloat32, dims)};
  problem.outputs = {Activations(DType::kFloat32, dims)};
  TAMIS_ASSIGN_OR_RETURN(const TunedNode tuned, tuner.TimeProblem(problem));
  return tuned.seconds > 0 ? BytesMoved(problem) / tuned.seconds : 0.0;
}

double Elements(const Dims& dims) {
  return static_cast<double>(NumElements(dims));
}

double Bytes(const Operand& operand) {
  return Elements(operand.dims) * static_cast<double>(BitSize(operand.dtype)) / 8;
}

// Of its first input these read what they write: of a table of embeddings the rows that are asked for.
bool ReadsWhatItWrites(const Node& node) {
  return node.domain.empty() && (node.op == "Gather" || node.op == "GatherElements" || node.op == "GatherND" ||
                                 node.op == "Shape" || node.op == "Size" || node.op == "Slice");
}

}  // namespace

double FloatingOperations(const Problem& problem) {
  const Node& node = *problem.node;
  if (problem.outputs.empty()) return 0;
  const double outputs = Elements(problem.outputs[0].dims);
  const Operand& second = problem.input(1);
  if (node.op == "Attention" && node.domain == kTamisDomain && problem.inputs.size() > 2) {
    // Scores, and the weighted sum of the values: q [.., queries, depth], k [.., keys, depth].
    const Dims& keys = problem.inputs[1].dims;
    const double rows = keys.size() >= 2 ? static_cast<double>(keys[keys.size() == 4 ? keys.size() - 2 : 1]) : 0;
    return 4 * Elements(problem.inputs[0].dims) * rows;
  }
  if (node.op.find("Linear") != std::string::npos && node.domain == kTamisDomain && second.dims.size() == 2) {
    return 2 * outputs * static_cast<double>(second.dims[1]);
  }
  if (node.op.find("Conv") != std::string::npos && second.dims.size() > 2) {
    return 2 * outputs * Elements(second.dims) / static_cast<double>(std::max<int64_t>(second.dims[0], 1));
  }
  if ((node.op == "MatMul" || node.op == "Gemm") && !problem.input(0).dims.empty()) {
    const Dims& first = problem.inputs[0].dims;
    const bool transposed = node.op == "Gemm" && node.Int("transA", 0) != 0;
    return 2 * outputs * static_cast<double>(transposed ? first.front() : first.back());
  }
  return 0;
}

double BytesMoved(const Problem& problem) {
  double written = 0;
  for (const Operand& operand : problem.outputs) {
    if (operand.Present()) written += Bytes(operand);
  }
  double read = 0;
  for (size_t i = 0; i < problem.inputs.size(); ++i) {
    const Operand& operand = problem.inputs[i];
    if (!operand.Present()) continue;
    double here = Bytes(operand);
    // Half the values, and four bits of positions for every group of four.
    if (operand.pattern != Pattern::kDense) here = here / 2 + Elements(operand.dims) / 8;
    if (i == 0 && ReadsWhatItWrites(*problem.node)) here = std::min(here, written);
    read += here;
  }
  return read + written;
}

Result<Roofline> Roofline::Measure(Tuner& tuner, int threads) {
  Roofline roofline;
  TAMIS_ASSIGN_OR_RETURN(roofline.f32_, ProductSpeed(tuner, DType::kFloat32, threads));
  TAMIS_ASSIGN_OR_RETURN(roofline.bf16_, ProductSpeed(tuner, DType::kBFloat16, threads));
  TAMIS_ASSIGN_OR_RETURN(roofline.int8_, ProductSpeed(tuner, DType::kUInt8, threads));
  TAMIS_ASSIGN_OR_RETURN(roofline.bytes_, CopySpeed(tuner, threads));
  return roofline;
}

double Roofline::Seconds(const Problem& problem) const {
  const DType dtype = problem.inputs.empty() ? DType::kUndefined : problem.inputs[0].dtype;
  // An attention with scales may multiply codes, whatever type its inputs have (src/ops/attention.cc).
  const bool int8 = problem.input(1).dtype == DType::kInt8 || problem.node->Has("q_scale");
  const double flops = int8 ? int8_ : dtype == DType::kBFloat16 ? bf16_ : f32_;
  double operations = FloatingOperations(problem);
  if (problem.input(1).pattern != Pattern::kDense) operations /= 2;
  const double computing = flops > 0 ? operations / flops : 0;
  const double moving = bytes_ > 0 ? BytesMoved(problem) / bytes_ : 0;
  return std::max(computing, moving);
}

}  // namespace tamis
