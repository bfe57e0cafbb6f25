#include "src/compiler/plan/verify_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "src/base/hash.h"
#include "src/ir/widen.h"
#include "src/ops/op_float8.h"
#include "src/ops/op_tamis.h"
#include "src/ops/op_tf32.h"
#include "src/runtime/benchmark.h"
#include "src/runtime/dynamic_program.h"
#include "src/runtime/plan_choice.h"
#include "src/runtime/program.h"
#include "src/runtime/specialize.h"

namespace tamis {
namespace {

constexpr int kRepeats = 8;
constexpr size_t kMostFaults = 8;

// The relative size of one rounding of the coarsest type between the nodes of the graph.
double RoundingOf(const Graph& graph) {
  double rounding = 0x1p-16;  // f32: sums of thousands of products in another order
  const auto note = [&](DType dtype) {
    if (dtype == DType::kFloat16) rounding = std::max(rounding, 0x1p-11);
    if (dtype == DType::kBFloat16 || dtype == DType::kUInt8 || dtype == DType::kInt8) {
      rounding = std::max(rounding, 0x1p-8);  // a code may fall to the other side of a half
    }
  };
  for (const NodeId id : graph.NodeIds()) {
    if (AllowsTf32(graph.node(id))) note(DType::kFloat16);  // of as many bits
    for (const ValueId output : graph.node(id).outputs) {
      if (output != kNoValue) note(graph.value(output).type.dtype);
    }
  }
  return rounding;
}

bool AllFinite(const Tensor& tensor) {
  if (!IsFloat(tensor.dtype())) return true;
  const Tensor wide = tensor.ToFloat32();
  const auto elements = wide.Span<const float>();
  return std::all_of(elements.begin(), elements.end(), [](float x) { return std::isfinite(x); });
}

Result<std::vector<Tensor>> RunOnCpu(Graph graph, const std::vector<Tensor>& inputs, int threads) {
  PackCache cache;
  ProgramOptions options;
  options.threads = threads;
  TAMIS_ASSIGN_OR_RETURN(const auto program, Program::Make(std::move(graph), options, cache));
  ThreadPool pool(threads);
  return program->Run(inputs, pool);
}

// Kernels of GPUs do not round q, k and v where a quantised network lets those of CPUs do so.
Graph WithoutCodesOfAttention(const Graph& graph) {
  Graph without = graph.Clone();
  for (const NodeId id : without.NodeIds()) {
    if (without.node(id).IsTamis("Attention")) ForbidCodes(&without.node(id));
  }
  return without;
}

// Moves the scales of products of codes by a share that is small beside a step, up for one output and down for the
// next: codes near a half then fall to its other side, as those of a device do that sums in another order, and the
// network shows what it makes of that. (The share itself is nothing beside the eight roundings to 8 bits that are
// allowed anyway.) False if it has no such products.
bool NudgeScales(Graph& graph) {
  constexpr float kShare = 0x1p-12f;
  std::set<ValueId> scales;
  for (const NodeId id : graph.NodeIds()) {
    const Node& node = graph.node(id);
    const bool product = node.IsTamis("QuantizedLinear") || node.IsTamis("QuantizedConv");
    if (product && graph.ConstantInput(node, 2) != nullptr) scales.insert(node.input(2));
  }
  for (const ValueId scale : scales) {
    Value& value = graph.value(scale);
    Tensor nudged = value.constant->Clone();
    const std::span<float> elements = nudged.Span<float>();
    for (size_t i = 0; i < elements.size(); ++i) elements[i] *= 1 + (i % 2 == 0 ? kShare : -kShare);
    value.constant = std::move(nudged);
    value.constant_hash = HashTensor(*value.constant);
  }
  return !scales.empty();
}

// "conv_cudnn/3" is a variant of "conv_cudnn".
std::string_view KernelOf(std::string_view variant) {
  return variant.substr(0, variant.find('/'));
}

// The fastest of the node's other kernels; where there is none, of the chosen kernel's other variants, which may well
// share its fault; null if there are none either.
const Candidate* NextBest(const NodePlan& node) {
  const Candidate* best = nullptr;
  const auto rank = [&](const Candidate& candidate) {
    return std::pair(KernelOf(candidate.kernel) == KernelOf(node.kernel), candidate.seconds);
  };
  for (const Candidate& candidate : node.candidates) {
    if (candidate.seconds <= 0 || candidate.kernel == node.kernel) continue;
    if (best == nullptr || rank(candidate) < rank(*best)) best = &candidate;
  }
  return best;
}

// With the next best kernels for the first `count` of the nodes `changeable`.
std::vector<NodePlan> WithOthers(std::vector<NodePlan> nodes, const std::vector<size_t>& changeable, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    NodePlan& node = nodes[changeable[i]];
    const Candidate& other = *NextBest(node);
    node.seconds = other.seconds;
    node.kernel = other.kernel;
  }
  return nodes;
}

// Of the worst of several runs.
Result<double> WorstExcess(const PlanReference& reference, PlanRunner& runner, const std::vector<NodePlan>& nodes) {
  double worst = 0;
  TAMIS_RETURN_IF_ERROR(runner.Run(nodes, kRepeats, [&](std::span<const Tensor> outputs) -> Status {
    worst = std::max(worst, reference.Excess(outputs));
    return {};
  }));
  return worst;
}

// Exchanges the kernel of one node at fault. Returns false if nothing helps.
Result<bool> ExchangeOne(const PlanReference& reference, PlanRunner& runner, double excess,
                         std::vector<NodePlan>* nodes, PlanVerdict* verdict) {
  std::vector<size_t> changeable;
  for (size_t i = 0; i < nodes->size(); ++i) {
    if (NextBest((*nodes)[i]) != nullptr) changeable.push_back(i);
  }
  const auto right_with = [&](size_t count) -> Result<bool> {
    TAMIS_ASSIGN_OR_RETURN(const double worst, WorstExcess(reference, runner, WithOthers(*nodes, changeable, count)));
    return worst <= 1;
  };
  size_t wrong = 0, right = changeable.size();
  TAMIS_ASSIGN_OR_RETURN(const bool helps, right_with(right));
  if (!helps) return false;
  while (right - wrong > 1) {
    const size_t middle = (wrong + right) / 2;
    TAMIS_ASSIGN_OR_RETURN(const bool is_right, right_with(middle));
    (is_right ? right : wrong) = middle;
  }
  NodePlan& node = (*nodes)[changeable[right - 1]];
  const Candidate other = *NextBest(node);
  verdict->notices.push_back(fmt::format(
      "'{}' does not run on {}, the fastest kernel for it: with it the whole network answered wrongly, {:.3g} "
      "times as far from the CPU's answers as rounding explains; it runs on {}",
      node.node, node.kernel, excess, other.kernel));
  // Its variants too: nobody has shown that they don't share the fault.
  const bool same_kernel = KernelOf(other.kernel) == KernelOf(node.kernel);
  for (Candidate& candidate : node.candidates) {
    if (candidate.kernel == node.kernel || (!same_kernel && KernelOf(candidate.kernel) == KernelOf(node.kernel))) {
      candidate.seconds = 0;
      candidate.reason = "the whole network answered wrongly with this kernel";
    }
    if (candidate.kernel == other.kernel) candidate.reason.clear();
  }
  node.kernel = other.kernel;
  node.seconds = other.seconds;
  return true;
}

class CudaRunner : public PlanRunner {
 public:
  CudaRunner(const Graph& concrete, const CudaProgramOptions& options, std::vector<Tensor> inputs)
      : concrete_(concrete), options_(options), pool_(options.threads), inputs_(std::move(inputs)) {}

  Status Run(const std::vector<NodePlan>& nodes, int repeats, const Visit& visit) override {
    TAMIS_ASSIGN_OR_RETURN(const auto program,
                           CudaProgram::Make(concrete_.Clone(), options_.Wishing(WishOf(nodes)), cache_));
    for (int i = 0; i < repeats; ++i) {
      TAMIS_ASSIGN_OR_RETURN(const std::vector<Tensor> outputs, program->Run(inputs_, pool_));
      TAMIS_RETURN_IF_ERROR(visit(outputs));
    }
    return {};
  }

 private:
  const Graph& concrete_;
  const CudaProgramOptions& options_;
  ThreadPool pool_;
  std::vector<Tensor> inputs_;
  PackCache cache_;
};

}  // namespace

PlanReference::Error PlanReference::ErrorOf(const Tensor& tensor, const Tensor& exact) {
  Error error;
  const int64_t count = exact.NumElements();
  if (tensor.dtype() != exact.dtype() || tensor.dims() != exact.dims()) {
    error.root = error.largest = error.share = std::numeric_limits<double>::infinity();
    return error;
  }
  if (count == 0) return error;
  if (!IsFloat(exact.dtype())) {
    const size_t size = ByteSize(exact.dtype(), 1);
    int64_t different = 0;
    for (size_t at = 0; at < exact.NumBytes(); at += size) {
      different += std::equal(exact.raw() + at, exact.raw() + at + size, tensor.raw() + at) ? 0 : 1;
    }
    error.share = static_cast<double>(different) / static_cast<double>(count);
    return error;
  }
  const Tensor a = tensor.ToFloat32(), b = exact.ToFloat32();
  double square = 0, square_exact = 0, largest = 0, magnitude = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double x = a.Data<float>()[i], y = b.Data<float>()[i];
    const double difference = std::isfinite(x) ? std::abs(x - y) : std::numeric_limits<double>::infinity();
    square += difference * difference;
    square_exact += y * y;
    largest = std::max(largest, difference);
    magnitude = std::max(magnitude, std::abs(y));
  }
  constexpr double kLeast = 1e-30;  // an output of zeros
  error.root = std::sqrt(square / std::max(square_exact, kLeast));
  error.largest = largest / std::max(magnitude, kLeast);
  return error;
}

Result<std::unique_ptr<PlanReference>> PlanReference::Make(const Graph& concrete, const std::vector<Tensor>& inputs,
                                                           int threads) {
  Graph wide = WithoutCodesOfAttention(concrete);
  bool differs = Widen(wide, DType::kFloat16);
  differs = Widen(wide, DType::kBFloat16) || differs;
  Graph narrow = WithoutCodesOfAttention(concrete);
  if (UsesFloat8(concrete)) {  // coarser than the 16 bits of the rest
    narrow = wide.Clone();
    EmulateFloat8(narrow);
    TAMIS_RETURN_IF_ERROR(narrow.Sort());
    differs = true;
  }
  differs = NudgeScales(narrow) || differs;
  TAMIS_ASSIGN_OR_RETURN(const std::vector<Tensor> rounded, RunOnCpu(std::move(narrow), inputs, threads));
  std::vector<Tensor> exact = rounded;
  if (differs) {
    TAMIS_ASSIGN_OR_RETURN(exact, RunOnCpu(std::move(wide), inputs, threads));
  }

  const double least = kRoundings * RoundingOf(concrete);
  auto reference = std::make_unique<PlanReference>();
  for (size_t i = 0; i < exact.size(); ++i) {
    if (!AllFinite(exact[i]) || !AllFinite(rounded[i])) return std::unique_ptr<PlanReference>();
    const Error error = ErrorOf(rounded[i], exact[i]);
    const auto allowed = [&](double x) { return std::max(kFactor * x, least); };
    reference->outputs_.push_back({exact[i], {allowed(error.root), allowed(error.largest), allowed(error.share)}});
  }
  return reference;
}

double PlanReference::Excess(std::span<const Tensor> outputs) const {
  TAMIS_ASSERT(outputs.size() == outputs_.size());
  double worst = 0;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Error error = ErrorOf(outputs[i], outputs_[i].exact);
    const Error& allowed = outputs_[i].allowed;
    worst = std::max({worst, error.root / allowed.root, error.largest / allowed.largest, error.share / allowed.share});
  }
  return worst;
}

Result<PlanVerdict> VerifyPlan(const PlanReference& reference, PlanRunner& runner, std::vector<NodePlan>* nodes) {
  PlanVerdict verdict;
  TAMIS_ASSIGN_OR_RETURN(verdict.excess, WorstExcess(reference, runner, *nodes));
  double excess = verdict.excess;
  while (excess > 1 && verdict.notices.size() < kMostFaults) {
    TAMIS_ASSIGN_OR_RETURN(const bool helped, ExchangeOne(reference, runner, excess, nodes, &verdict));
    if (!helped) break;
    TAMIS_ASSIGN_OR_RETURN(excess, WorstExcess(reference, runner, *nodes));
  }
  verdict.right = excess <= 1;
  if (verdict.right) verdict.excess = excess;
  return verdict;
}

Result<PlanVerdict> VerifyCudaPlan(const Graph& fused, const CudaProgramOptions& options, PlanPoint* point) {
  const auto not_compared = [](const std::string& why) {
    PlanVerdict verdict;
    verdict.right = true;
    verdict.notices.push_back("the plan for the GPU was not compared with the CPU as a whole: " + why);
    return verdict;
  };
  const std::vector<TensorSpec> specs = InputSpecs(fused);
  if (!AreTensors(specs)) return not_compared("it takes other inputs than tensors");
  TAMIS_ASSIGN_OR_RETURN(const Graph concrete, SpecializeAt(fused, point->binding));
  if (RunsNodeByNode(concrete)) return not_compared("it runs node by node on the CPU");
  TAMIS_ASSIGN_OR_RETURN(std::vector<Tensor> inputs, RandomOperands(specs, point->binding, 2));
  TAMIS_ASSIGN_OR_RETURN(const auto reference, PlanReference::Make(concrete, inputs, options.threads));
  if (reference == nullptr) return not_compared("its answers to random inputs are not finite in this precision");
  CudaRunner runner(concrete, options, std::move(inputs));
  return VerifyPlan(*reference, runner, &point->nodes);
}

}  // namespace tamis
