#include "src/kernels/deform/deform_conv.h"

#include <cmath>

#include "src/kernels/operand_check.h"

namespace tamis {
namespace {

Result<DeformArgs> MakeArgs(const Problem& problem) {
  const Node& node = *problem.node;
  const Dims &x = problem.input(0).dims, &w = problem.input(1).dims, &y = problem.outputs[0].dims;
  if ((x.size() != 3 && x.size() != 4) || w.size() != x.size() || y.size() != x.size()) {
    return UserError("{} does not have one or two spatial axes", ToString(x));
  }
  NodeProblems problems;
  const SlidingWindow window = ReadWindow(node, Dims(w.begin() + 2, w.end()), WindowAttributes::kOnnx, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  DeformArgs args;
  args.geometry = GeometryOf(window, std::span<const int64_t>(x).subspan(2), std::span<const int64_t>(y).subspan(2));
  args.channels = x[1];
  args.filters = w[0];
  args.groups = node.Int("group", 1);
  args.offset_groups = node.Int("offset_group", 1);
  args.rank = static_cast<int64_t>(x.size()) - 2;
  args.bias = problem.input(3).Present();
  args.mask = problem.input(4).Present();
  if (args.geometry.InputSize() > INT32_MAX) return UserError("planes of {} elements", args.geometry.InputSize());
  return args;
}

}  // namespace

void FindTap(const DeformArgs& args, const void* const* inputs, int64_t image, int64_t offset_group, int64_t tap,
             int64_t first, int64_t count, DeformTap* found) {
  const SlidingAxis &down = args.geometry.axes[1], &across = args.geometry.axes[2];
  const int64_t pixels = args.Pixels(), row = (image * args.offset_groups + offset_group) * args.Taps() + tap;
  const auto* offsets = static_cast<const float*>(inputs[2]) + row * args.rank * pixels + first;
  const auto* mask = args.mask ? static_cast<const float*>(inputs[4]) + row * pixels + first : nullptr;
  const int64_t tap_y = tap / across.kernel, tap_x = tap % across.kernel;
  for (int64_t j = 0; j < count; ++j) {
    const int64_t out_y = (first + j) / across.out, out_x = (first + j) % across.out;
    auto y = static_cast<float>(out_y * down.stride - down.pad_begin + tap_y * down.dilation);
    auto x = static_cast<float>(out_x * across.stride - across.pad_begin + tap_x * across.dilation);
    if (args.rank == 2) y += offsets[j];
    x += offsets[(args.rank - 1) * pixels + j];
    const float factor = mask == nullptr ? 1.0f : mask[j];
    const auto height = static_cast<float>(down.in), width = static_cast<float>(across.in);
    const bool inside = y > -1 && y < height && x > -1 && x < width;  // false for a NaN
    const float low_y = inside ? std::floor(y) : 0, low_x = inside ? std::floor(x) : 0;
    const float part_y = inside ? y - low_y : 0, part_x = inside ? x - low_x : 0;
    for (int corner = 0; corner < 4; ++corner) {
      const bool lower = corner >= 2, right = corner % 2 == 1;
      const auto at_y = static_cast<int64_t>(low_y) + (lower ? 1 : 0);
      const auto at_x = static_cast<int64_t>(low_x) + (right ? 1 : 0);
      const bool there = inside && at_y >= 0 && at_y < down.in && at_x >= 0 && at_x < across.in;
      found->at[corner][j] = there ? static_cast<int32_t>(at_y * across.in + at_x) : 0;
      found->weight[corner][j] = there ? factor * (lower ? part_y : 1 - part_y) * (right ? part_x : 1 - part_x) : 0.0f;
    }
  }
}

Status SupportsDeformConv(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, ""));
  TAMIS_RETURN_IF_ERROR(CheckOutputs(problem, 1));
  for (size_t i = 0; i < problem.inputs.size(); ++i) {
    const Operand& operand = problem.input(i);
    if (operand.Present() && operand.dtype != DType::kFloat32) return UserError("input {} is not float32", i);
  }
  return MakeArgs(problem).status();
}

Result<std::unique_ptr<PreparedKernel>> PrepareDeformConv(const Problem& problem, DeformBody body, int64_t panel) {
  TAMIS_ASSERT(panel <= kMaxDeformPanel);
  TAMIS_ASSIGN_OR_RETURN(DeformArgs args, MakeArgs(problem));
  args.panel = panel;
  args.panels = (args.Pixels() + panel - 1) / panel;
  const int64_t filters = args.filters / args.groups;
  const int64_t items = args.geometry.InputSize() == 0 ? 0 : problem.input(0).dims[0] * args.groups * args.panels;
  if (items == 0 && Elements(problem.outputs[0]) > 0) return UserError("an empty image");
  return std::unique_ptr<PreparedKernel>(std::make_unique<RangeKernel<DeformArgs>>(
      args, body, items, GrainFor(args.Depth() * (panel + filters)), problem.threads,
      static_cast<size_t>((args.Depth() + filters) * panel) * sizeof(float)));
}

double DeformConvFlops(const Problem& problem) {
  const Dims& w = problem.input(1).dims;
  const double depth =
      static_cast<double>(Elements(problem.input(1))) / static_cast<double>(std::max<int64_t>(w[0], 1));
  return 2.0 * static_cast<double>(Elements(problem.outputs[0])) * depth;
}

}  // namespace tamis
