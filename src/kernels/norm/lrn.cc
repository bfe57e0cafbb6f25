#include "src/kernels/norm/lrn.h"

#include "src/kernels/operand_check.h"

namespace tamis {

Status SupportsLrn(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const Operand& x = problem.input(0);
  if (x.dtype != DType::kFloat32) return UserError("input 0 is {}; float32 is supported", Name(x.dtype));
  if (x.dims.size() < 2) return UserError("{} has no channels", ToString(x.dims));
  if (problem.node->Int("size", 0) < 1) return UserError("a size of {}", problem.node->Int("size", 0));
  if (problem.node->Float("bias", 1) <= 0 || problem.node->Float("alpha", 1e-4f) < 0) {
    return UserError("a negative alpha, or a bias that is not positive");
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> PrepareLrn(const Problem& problem, LrnBody body) {
  const Node& node = *problem.node;
  const Dims& dims = problem.input(0).dims;
  const int64_t size = node.Int("size", 1);
  LrnArgs args;
  args.channels = dims[1];
  args.plane = Product(dims, 2, dims.size());
  args.blocks = (args.plane + LrnArgs::kBlock - 1) / LrnArgs::kBlock;
  args.before = (size - 1) / 2;
  args.after = size / 2;
  args.alpha = node.Float("alpha", 1e-4f) / static_cast<float>(size);
  args.beta = node.Float("beta", 0.75f);
  args.bias = node.Float("bias", 1);
  const int64_t work = args.channels * std::min(args.plane, LrnArgs::kBlock) * 8;
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<LrnArgs>>(args, body, dims[0] * args.blocks, GrainFor(work), problem.threads));
}

double LrnFlops(const Problem& problem) {
  return static_cast<double>(Elements(problem.input(0))) * (40 + static_cast<double>(problem.node->Int("size", 1)));
}

}  // namespace tamis
