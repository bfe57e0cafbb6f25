// ScatterElements and Scatter: y[index[i, j, k], j, k] takes update[i, j, k], the index along one axis.
#include "src/kernels/scatter/scatter.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

constexpr size_t kMaxRank = 8;

struct Args {
  static constexpr size_t kIndices = 1, kUpdates = 2;
  IndexList indices;
  size_t rank = 0, axis = 0;
  int64_t dims[kMaxRank] = {};     // of the indices
  int64_t strides[kMaxRank] = {};  // of the data
  int64_t size = 0;                // of the data along the axis
  int64_t outer = 1;               // indices before the axis; their targets never meet

  int64_t Parts() const { return outer; }
  Status Check(const void* given) const { return CheckIndices(indices, given, {size}, "ScatterElements"); }

  template <class F>
  void ForEachTarget(const void* given, int64_t begin, int64_t end, F f) const {
    indices.wide ? Walk(static_cast<const int64_t*>(given), begin, end, f)
                 : Walk(static_cast<const int32_t*>(given), begin, end, f);
  }

 private:
  // Row by row of the last axis.
  template <class I, class F>
  void Walk(const I* index, int64_t begin, int64_t end, F f) const {
    const size_t last = rank - 1;
    const int64_t row = dims[last], rows = indices.count / row;
    const int64_t step = axis == last ? 0 : 1, stride = strides[axis];
    for (int64_t r = rows * begin / outer; r < rows * end / outer; ++r) {
      int64_t rest = r, base = 0;
      for (size_t d = last; d-- > 0; rest /= dims[d]) {
        if (d != axis) base += rest % dims[d] * strides[d];
      }
      for (int64_t i = 0; i < row; ++i) {
        const int64_t at = r * row + i, to = static_cast<int64_t>(index[at]);
        f(at, base + (to < 0 ? to + size : to) * stride + i * step);
      }
    }
  }
};

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckScatter(problem));
  TAMIS_RETURN_IF_ERROR(CheckIndexList(problem.input(1), "input 1 (indices)"));
  const Dims &data = problem.input(0).dims, &indices = problem.input(1).dims;
  if (data.size() != indices.size() || data.empty() || data.size() > kMaxRank) {
    return UserError("the ranks of {} and {} must be equal, from 1 to {}", ToString(data), ToString(indices), kMaxRank);
  }
  if (NormalizeAxis(problem.node->Int("axis", 0), data.size()) < 0) {
    return UserError("the axis does not lie within {}", ToString(data));
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims &data = problem.input(0).dims, &indices = problem.input(1).dims;
  Args args;
  args.indices = MakeIndexList(problem.input(1));
  args.rank = data.size();
  args.axis = static_cast<size_t>(NormalizeAxis(problem.node->Int("axis", 0), data.size()));
  args.size = data[args.axis];
  args.outer = Product(indices, 0, args.axis);
  const auto strides = ElementStrides(data);
  std::copy(indices.begin(), indices.end(), args.dims);
  std::copy(strides.begin(), strides.end(), args.strides);
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<Scatter<Args>>(args, MakeScatterPlan(problem, args.indices.count, 1), problem.threads));
}

}  // namespace

extern const KernelDef kernel_scatter_elements = {
    .name = "scatter_elements",
    .family = "scatter",
    .ops = {"ScatterElements", "Scatter"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = PredictCopySeconds,
    .prepare = Prepare,
    .in_place = 0b1,
};

}  // namespace tamis
