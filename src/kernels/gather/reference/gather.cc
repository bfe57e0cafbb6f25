// Gather: whole runs of `data` picked along one axis by int64 or int32 indices; negative ones count from the end.
#include <cstring>

#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"

namespace tamis {
namespace {

struct GatherArgs {
  bool wide_indices = true;  // int64
  int64_t indices = 0;       // how many
  int64_t dim = 0;           // of the axis
  int64_t outer = 0;         // product of the dims before the axis
  size_t run = 0;            // bytes picked by one index
};

template <class I>
void Rows(const GatherArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end) {
  const auto* data = static_cast<const std::byte*>(inputs[0]);
  const I* indices = static_cast<const I*>(inputs[1]);
  auto* out = static_cast<std::byte*>(outputs[0]);
  // Of one element: a load and a store instead of a call.
  const auto pick = [&]<class T>(T) {
    const T* from = reinterpret_cast<const T*>(data);
    T* to = reinterpret_cast<T*>(out);
    for (int64_t item = begin; item < end;) {
      const int64_t outer = item / args.indices, stop = std::min(end, (outer + 1) * args.indices);
      const I* index = indices - outer * args.indices;
      for (; item < stop; ++item) {
        const auto given = static_cast<int64_t>(index[item]);
        to[item] = from[outer * args.dim + (given < 0 ? given + args.dim : given)];
      }
    }
  };
  if (args.run == 4) return pick(uint32_t{});
  if (args.run == 8) return pick(uint64_t{});
  for (int64_t item = begin; item < end; ++item) {
    const int64_t index = indices[item % args.indices];
    const int64_t row = item / args.indices * args.dim + (index < 0 ? index + args.dim : index);
    std::memcpy(out + static_cast<size_t>(item) * args.run, data + static_cast<size_t>(row) * args.run, args.run);
  }
}

void Body(const GatherArgs& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* /*scratch*/) {
  const auto rows = args.wide_indices ? Rows<int64_t> : Rows<int32_t>;
  rows(args, inputs, outputs, begin, end);
}

template <class I>
Status CheckIndices(const GatherArgs& args, const void* operand) {
  const I* indices = static_cast<const I*>(operand);
  for (int64_t i = 0; i < args.indices; ++i) {
    if (indices[i] < -args.dim || indices[i] >= args.dim) {
      return UserError(
          "Gather: index {} at position {} is out of range; the axis has {} elements, so {} to {} would work",
          indices[i], i, args.dim, -args.dim, args.dim - 1);
    }
  }
  return {};
}

class Gather : public RangeKernel<GatherArgs> {
 public:
  using RangeKernel::RangeKernel;
  Status Check(std::span<const void* const> inputs) const override {
    if (args().outer == 0) return {};
    return args().wide_indices ? CheckIndices<int64_t>(args(), inputs[1]) : CheckIndices<int32_t>(args(), inputs[1]);
  }
};

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Operand &data = problem.input(0), &indices = problem.input(1);
  if (indices.dtype != DType::kInt64 && indices.dtype != DType::kInt32) {
    return UserError("input 1 (indices) is {}; int64 and int32 are supported", Name(indices.dtype));
  }
  if (BitSize(data.dtype) < 8) return UserError("elements of {} bits are not supported", BitSize(data.dtype));
  if (NormalizeAxis(problem.node->Int("axis", 0), data.dims.size()) < 0) {
    return UserError("the axis does not lie within {}", ToString(data.dims));
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims& dims = problem.input(0).dims;
  const auto axis = static_cast<size_t>(NormalizeAxis(problem.node->Int("axis", 0), dims.size()));
  GatherArgs args;
  args.wide_indices = problem.input(1).dtype == DType::kInt64;
  args.indices = Elements(problem.input(1));
  args.dim = dims[axis];
  args.outer = Product(dims, 0, axis);
  args.run = ByteSize(problem.input(0).dtype, static_cast<size_t>(Product(dims, axis + 1, dims.size())));
  return std::unique_ptr<PreparedKernel>(std::make_unique<Gather>(
      args, Body, args.outer * args.indices, GrainFor(static_cast<int64_t>(args.run) + 16, 131072), problem.threads));
}

// The table itself is read only where indices point.
double Cost(const Problem& problem) {
  return 2e-6 + 2 * static_cast<double>(Bytes(problem.outputs[0])) / 10e9 / std::max(problem.threads, 1);
}

}  // namespace

extern const KernelDef kernel_gather = {
    .name = "gather",
    .family = "gather",
    .ops = {"Gather"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = Cost,
    .prepare = Prepare,
};

}  // namespace tamis
