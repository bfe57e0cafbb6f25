#include "src/kernels/norm/channel_norm.h"

#include "src/kernels/operand_check.h"

namespace tamis {
namespace {

int64_t GroupsOf(const Problem& problem) {
  const int64_t channels = problem.input(0).dims[1];
  return problem.node->op == "GroupNormalization" ? problem.node->Int("num_groups", 1) : channels;
}

}  // namespace

Status SupportsChannelNorm(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  const bool batch = problem.node->op == "BatchNormalization";
  for (size_t i = 0; i < (batch ? 5u : 3u); ++i) {
    if (problem.input(i).dtype != DType::kFloat32) {
      return UserError("input {} is {}; float32 is supported", i, Name(problem.input(i).dtype));
    }
  }
  const Dims& dims = problem.input(0).dims;
  if (dims.size() < 2) return UserError("{} has no channels", ToString(dims));
  if (batch && problem.node->Int("training_mode", 0) != 0) return UserError("training mode is not supported");
  const int64_t groups = GroupsOf(problem);
  if (groups < 1 || dims[1] % groups != 0) return UserError("{} channels do not divide into {}", dims[1], groups);
  const int64_t parameters = Elements(problem.input(1));
  if ((parameters != dims[1] && parameters != groups) || Elements(problem.input(2)) != parameters) {
    return UserError("scale and bias must have one element a channel or a group");
  }
  return {};
}

Result<std::unique_ptr<PreparedKernel>> PrepareChannelNorm(const Problem& problem, ChannelNormBody body) {
  const Dims& dims = problem.input(0).dims;
  ChannelNormArgs args;
  args.groups = GroupsOf(problem);
  args.channels = dims[1] / std::max<int64_t>(args.groups, 1);
  args.plane = Product(dims, 2, dims.size());
  args.epsilon = problem.node->Float("epsilon", 1e-5f);
  args.given = problem.node->op == "BatchNormalization";
  args.scale_by_group = Elements(problem.input(1)) == args.groups;
  const int64_t items = args.channels * args.plane == 0 ? 0 : dims[0] * args.groups;
  return std::unique_ptr<PreparedKernel>(std::make_unique<RangeKernel<ChannelNormArgs>>(
      args, body, items, GrainFor(args.channels * args.plane, 32768), problem.threads));
}

}  // namespace tamis
