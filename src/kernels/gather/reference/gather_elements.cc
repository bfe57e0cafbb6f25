// GatherElements: y[i, j, k] = x[index[i, j, k], j, k], the index along one axis.
#include <cstring>

#include "src/kernels/index_list.h"
#include "src/kernels/range_kernel.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

constexpr size_t kMaxRank = 8;

// Items are rows of the indices' last axis.
struct Args {
  IndexList indices;
  size_t rank = 0, axis = 0;
  int64_t dims[kMaxRank] = {};     // of the indices
  int64_t strides[kMaxRank] = {};  // of the data, in elements
  int64_t size = 0;                // of the data along the axis
};

template <class T, class I>
void Rows(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end) {
  const T* data = static_cast<const T*>(inputs[0]);
  T* out = static_cast<T*>(outputs[0]);
  const size_t last = args.rank - 1;
  const int64_t row = args.dims[last], size = args.size, stride = args.strides[args.axis];
  for (int64_t item = begin; item < end; ++item) {
    int64_t rest = item, base = 0;
    for (size_t d = last; d-- > 0; rest /= args.dims[d]) {
      if (d != args.axis) base += rest % args.dims[d] * args.strides[d];
    }
    const I* index = static_cast<const I*>(inputs[1]) + item * row;
    const T* from = data + base;
    T* to = out + item * row;
    const auto at = [&](int64_t i) {
      const auto given = static_cast<int64_t>(index[i]);
      return given < 0 ? given + size : given;
    };
    if (args.axis == last) {
      for (int64_t i = 0; i < row; ++i) to[i] = from[at(i)];
    } else {
      for (int64_t i = 0; i < row; ++i) to[i] = from[at(i) * stride + i];
    }
  }
}

template <class T>
void Body(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  const auto rows = args.indices.wide ? Rows<T, int64_t> : Rows<T, int32_t>;
  rows(args, inputs, outputs, begin, end);
}

class GatherElements : public RangeKernel<Args> {
 public:
  using RangeKernel::RangeKernel;
  Status Check(std::span<const void* const> inputs) const override {
    return CheckIndices(args().indices, inputs[1], {args().size}, "GatherElements");
  }
};

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckGatherElements(problem));
  TAMIS_RETURN_IF_ERROR(CheckMovable(problem.input(0).dtype));
  if (const Dims& dims = problem.input(0).dims; dims.size() > kMaxRank) {
    return UserError("{} has more than {} dimensions", ToString(dims), kMaxRank);
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Operand& data = problem.input(0);
  const Dims& dims = problem.input(1).dims;
  Args args;
  args.indices = MakeIndexList(problem.input(1));
  args.rank = dims.size();
  args.axis = static_cast<size_t>(NormalizeAxis(problem.node->Int("axis", 0), dims.size()));
  args.size = data.dims[args.axis];
  const auto strides = ElementStrides(data.dims);
  std::copy(dims.begin(), dims.end(), args.dims);
  std::copy(strides.begin(), strides.end(), args.strides);
  const int64_t rows = args.indices.count == 0 ? 0 : args.indices.count / dims.back();
  const int bytes = BitSize(data.dtype) / 8;
  const auto body = bytes == 1   ? Body<uint8_t>
                    : bytes == 2 ? Body<uint16_t>
                    : bytes == 4 ? Body<uint32_t>
                                 : Body<uint64_t>;
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<GatherElements>(args, body, rows, GrainFor(8 * dims.back()), problem.threads));
}

}  // namespace

extern const KernelDef kernel_gather_elements = {
    .name = "gather_elements",
    .family = "gather",
    .ops = {"GatherElements"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = PredictCopySeconds,
    .prepare = Prepare,
};

}  // namespace tamis
