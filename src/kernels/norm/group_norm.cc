#include "src/kernels/norm/group_norm.h"

#include "src/kernels/operand_check.h"

namespace tamis {

Status SupportsGroupNorm(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kTamisDomain));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.input(0), "input 0 (x)"));
  TAMIS_RETURN_IF_ERROR(CheckF32OrBf16(problem.outputs[0], "output 0"));
  const Dims& dims = problem.input(0).dims;
  if (dims.size() < 2) return UserError("x needs a batch and channels");
  const int64_t groups = problem.node->Int("num_groups", 0);
  if (groups < 1 || dims.back() % groups != 0) {
    return UserError("{} groups don't divide {} channels", groups, dims.back());
  }
  for (size_t i : {size_t{1}, size_t{2}}) {
    const Operand& operand = problem.input(i);
    if (operand.dtype != DType::kFloat32 || operand.dims != Dims{dims.back()}) {
      return UserError("input {} must be one f32 number a channel", i);
    }
  }
  const auto activation = ActivationFromName(problem.node->String("activation", ""));
  if (!activation || HasParameters(*activation)) return UserError("its activation is not supported");
  return {};
}

double GroupNormFlops(const Problem& problem) {
  return 8.0 * static_cast<double>(Elements(problem.input(0)));
}

Result<std::unique_ptr<PreparedKernel>> PrepareGroupNorm(const Problem& problem, GroupNormBody body) {
  const Dims& dims = problem.input(0).dims;
  GroupNormArgs args;
  args.channels = dims.back();
  args.pixels = Product(dims, 1, dims.size() - 1);
  args.groups = problem.node->Int("num_groups", 1);
  args.width = args.channels / args.groups;
  args.epsilon = problem.node->Float("epsilon", 1e-5f);
  args.activation = *ActivationFromName(problem.node->String("activation", ""));
  args.bf16_input = IsBf16(problem.input(0));
  args.bf16_output = IsBf16(problem.outputs[0]);
  // Slabs of at least four vectors keep the reads long; as many as the threads need keep them all busy.
  constexpr int64_t kLeastChannels = 64;
  const int64_t least = std::max<int64_t>(1, (kLeastChannels + args.width - 1) / std::max<int64_t>(args.width, 1));
  args.slab_groups = std::clamp<int64_t>((args.groups + problem.threads - 1) / problem.threads, 1, args.groups);
  args.slab_groups = std::min(args.groups, std::max(args.slab_groups, least));
  args.slabs = (args.groups + args.slab_groups - 1) / args.slab_groups;
  const size_t scratch = static_cast<size_t>(args.slab_groups * args.width) * 2 * sizeof(float);
  const int64_t count = Elements(problem.input(0)) == 0 ? 0 : dims[0] * args.slabs;
  return std::unique_ptr<PreparedKernel>(std::make_unique<RangeKernel<GroupNormArgs>>(
      args, body, count, GrainFor(args.pixels * args.slab_groups * args.width / 2), problem.threads, scratch));
}

}  // namespace tamis
