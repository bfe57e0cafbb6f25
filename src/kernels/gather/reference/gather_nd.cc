// GatherND: runs of the data that tuples of indices point at.
#include <cstring>

#include "src/kernels/index_list.h"
#include "src/kernels/range_kernel.h"
#include "src/kernels/transpose/strided_copy.h"

namespace tamis {
namespace {

constexpr size_t kMaxDepth = 8;

// Items are tuples.
struct Args {
  IndexList indices;
  int64_t depth = 0;                // indices of a tuple
  int64_t sizes[kMaxDepth] = {};    // of the axes that they address
  int64_t strides[kMaxDepth] = {};  // of these axes, in runs
  int64_t per_batch = 1;            // tuples of one batch entry
  int64_t batch_runs = 0;           // runs of one batch entry
  size_t run = 0;                   // bytes
};

void Tuples(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
            std::byte* /*scratch*/) {
  const auto* data = static_cast<const std::byte*>(inputs[0]);
  auto* out = static_cast<std::byte*>(outputs[0]);
  for (int64_t item = begin; item < end; ++item) {
    int64_t from = item / args.per_batch * args.batch_runs;
    for (int64_t d = 0; d < args.depth; ++d) {
      from += args.indices.At(inputs[1], item * args.depth + d, args.sizes[d]) * args.strides[d];
    }
    std::memcpy(out + static_cast<size_t>(item) * args.run, data + static_cast<size_t>(from) * args.run, args.run);
  }
}

class GatherNd : public RangeKernel<Args> {
 public:
  using RangeKernel::RangeKernel;
  Status Check(std::span<const void* const> inputs) const override {
    if (args().depth == 0 || args().run == 0) return {};
    return CheckIndices(args().indices, inputs[1], Dims(args().sizes, args().sizes + args().depth), "GatherND");
  }
};

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  TAMIS_RETURN_IF_ERROR(CheckMovable(problem.input(0).dtype));
  TAMIS_RETURN_IF_ERROR(CheckIndexList(problem.input(1), "input 1 (indices)"));
  const Dims &data = problem.input(0).dims, &indices = problem.input(1).dims;
  const int64_t batch = problem.node->Int("batch_dims", 0);
  if (indices.empty() || indices.back() > static_cast<int64_t>(kMaxDepth) || batch < 0 ||
      batch >= static_cast<int64_t>(indices.size()) || batch + indices.back() > static_cast<int64_t>(data.size())) {
    return UserError("the indices {} do not address {} with batch_dims {}", ToString(indices), ToString(data), batch);
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache&) {
  const Dims &data = problem.input(0).dims, &indices = problem.input(1).dims;
  const auto batch = static_cast<size_t>(problem.node->Int("batch_dims", 0));
  Args args;
  args.indices = MakeIndexList(problem.input(1));
  args.depth = indices.back();
  const auto depth = static_cast<size_t>(args.depth);
  for (size_t d = 0; d < depth; ++d) {
    args.sizes[d] = data[batch + d];
    args.strides[d] = Product(data, batch + d + 1, batch + depth);
  }
  args.per_batch = std::max<int64_t>(Product(indices, batch, indices.size() - 1), 1);
  args.batch_runs = Product(data, batch, batch + depth);
  args.run = ByteSize(problem.input(0).dtype, static_cast<size_t>(Product(data, batch + depth, data.size())));
  const int64_t tuples = args.run == 0 ? 0 : Product(indices, 0, indices.size() - 1);
  return std::unique_ptr<PreparedKernel>(std::make_unique<GatherNd>(
      args, Tuples, tuples, GrainFor(static_cast<int64_t>(args.run) + 16, 524288), problem.threads));
}

double Cost(const Problem& problem) {
  return 2e-6 + 2 * static_cast<double>(Bytes(problem.outputs[0])) / 10e9 / std::max(problem.threads, 1);
}

}  // namespace

extern const KernelDef kernel_gather_nd = {
    .name = "gather_nd",
    .family = "gather",
    .ops = {"GatherND"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = Cost,
    .prepare = Prepare,
};

}  // namespace tamis
