#include "src/kernels/block/likely_blocks.h"

#include <algorithm>

#include "src/kernels/problem.h"

namespace tamis {
namespace {

// A kernel that runs by rows may be predicted to be so much slower than the best: it is for its reads and writes,
// which a block spares it.
constexpr double kSlowerKernel = 2;

int64_t BytesOf(const Operand& operand) {
  return static_cast<int64_t>(ByteSize(operand.dtype, static_cast<size_t>(NumElements(operand.dims))));
}

bool IsConv(const Problem& problem) {
  return problem.node->op == "ChannelsLastConv" || problem.node->op == "QuantizedConv";
}

bool IsDepthwise(const Problem& problem) {
  return IsConv(problem) && problem.node->Int("group", 1) > 1 &&
         problem.node->Int("group", 1) == problem.input(0).dims.back() && problem.input(1).dims.back() == 1;
}

bool IsPointwise(const Problem& problem) {
  if (!IsConv(problem) || problem.node->Int("group", 1) != 1) return false;
  const Dims& weight = problem.input(1).dims;
  return std::all_of(weight.begin() + 1, weight.end() - 1, [](int64_t dim) { return dim == 1; });
}

// Empty: there is none.
std::string RowKernelFor(const Problem& problem, PackCache& cache) {
  Problem part = problem;
  part.threads = 1;
  const auto candidates = CandidateKernels(problem, nullptr);
  for (const KernelDef* kernel : candidates) {
    if (kernel->cost(problem) > kSlowerKernel * candidates.front()->cost(problem)) break;
    if (PrepareByRows(*kernel, part, cache).ok()) return std::string(kernel->name);
  }
  return {};
}

}  // namespace

std::vector<BlockSpec> LikelyBlocks(const Graph& concrete, int threads, PackCache& cache) {
  const int64_t large = Cpu().l2_bytes / 4;
  std::vector<BlockSpec> blocks;
  for (const std::vector<NodeId>& run : LayerRuns(concrete)) {
    size_t taken = 0;  // layers of the run that blocks have
    for (size_t i = 0; i < run.size(); ++i) {
      const auto problem_of = [&](size_t k) { return MakeProblem(concrete, concrete.node(run[k]), threads); };
      const auto filters = problem_of(i);
      if (!filters.ok() || !IsDepthwise(*filters) || BytesOf(filters->input(0)) <= large) continue;
      BlockSpec spec;
      int64_t weights = 0;
      for (size_t k = i > taken ? i - 1 : i; k < std::min(i + 2, run.size()); ++k) {
        const auto problem = problem_of(k);
        if (!problem.ok() || (k != i && !IsPointwise(*problem))) continue;
        std::string kernel = RowKernelFor(*problem, cache);
        if (kernel.empty()) {
          if (k >= i) break;
          continue;
        }
        weights += BytesOf(problem->input(1));
        spec.layers.push_back(concrete.value(concrete.node(run[k]).outputs[0]).name);
        spec.kernels.push_back(std::move(kernel));
        taken = k + 1;
      }
      // Every tile reads the weights, which must not drive out what lies between the layers.
      if (spec.layers.size() > 1 && weights <= large) blocks.push_back(std::move(spec));
    }
  }
  return blocks;
}

}  // namespace tamis
