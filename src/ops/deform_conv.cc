// DeformConv: a convolution whose taps are moved by `offset` and scaled by `mask`, both given for every output
// position.
//
// x[N, C, spatial...], weight[M, C / group, kernel...], offset[N, offset_group * K * r, out...] with the r axes of a
// tap together, bias[M]?, mask[N, offset_group * K, out...]?; 1 to 3 spatial axes. Samples between elements are linear,
// elements outside the input are 0.
#include <cmath>

#include "src/ops/op_case.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_window.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckCount(3, 5, &problems);
  for (size_t i = 0; i < 5; ++i) operands.CheckFloat(i, &problems);
  operands.CheckSameDType({0, 1, 2, 3, 4}, &problems);
  operands.CheckRankAtLeast(0, 3, &problems);
  const Node& node = operands.node();
  const int64_t group = node.Int("group", 1), offset_group = node.Int("offset_group", 1);
  if (group < 1 || offset_group < 1 || group > (1 << 20) || offset_group > (1 << 20)) {
    problems.Add("attributes 'group' and 'offset_group' must be positive");
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  const Shape* x = operands.shape(0);
  const Shape* weight = operands.shape(1);
  if (x == nullptr || weight == nullptr) return std::vector<Type>{Unranked(operands.dtype(0))};
  operands.CheckRank(1, x->size(), &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (!MayEqual((*x)[1], (*weight)[1] * Dim(group)) || !MayEqual(Dim::Mod((*x)[1], Dim(offset_group)), Dim(0)) ||
      !MayEqual(Dim::Mod((*weight)[0], Dim(group)), Dim(0))) {
    problems.Add("the weight {} does not fit the input {} in {} groups and {} offset groups", ToString(*weight),
                 ToString(*x), group, offset_group);
  }
  const auto kernel = KernelOfWeight(node, *weight, 2, x->size() - 2, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (!kernel) return std::vector<Type>{Unranked(operands.dtype(0))};
  const SlidingWindow window = ReadWindow(node, *kernel, WindowAttributes::kOnnx, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  Shape y = {(*x)[0], (*weight)[0]};
  int64_t taps = 1;
  for (size_t i = 0; i < kernel->size(); ++i) {
    y.push_back(WindowOutput(window, i, (*x)[i + 2], &problems));
    taps *= (*kernel)[i];
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  Shape offsets = y;
  offsets[1] = Dim(offset_group * taps * static_cast<int64_t>(kernel->size()));
  operands.CheckShape(2, offsets, &problems);
  operands.CheckShape(3, {(*weight)[0]}, &problems);
  offsets[1] = Dim(offset_group * taps);
  operands.CheckShape(4, offsets, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  return std::vector<Type>{Type::Tensor(operands.dtype(0), std::move(y))};
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

// The input at a place between elements, axes from `axis` on.
double Sample(const double* plane, const WindowGeometry& geometry, const std::array<double, 3>& at, size_t axis) {
  if (axis == 3) return *plane;
  const int64_t in = geometry.axes[axis].in;
  int64_t step = 1;
  for (size_t i = axis + 1; i < 3; ++i) step *= geometry.axes[i].in;
  if (!(at[axis] > -1 && at[axis] < static_cast<double>(in))) return 0;
  const double floor = std::floor(at[axis]), weight = at[axis] - floor;
  const auto low = static_cast<int64_t>(floor);
  double sum = 0;
  if (low >= 0) sum += (1 - weight) * Sample(plane + low * step, geometry, at, axis + 1);
  if (weight > 0 && low + 1 < in) sum += weight * Sample(plane + (low + 1) * step, geometry, at, axis + 1);
  return sum;
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  if (context.outputs[0].NumElements() == 0) return {};
  const auto read = [&](size_t i) {
    const Tensor* tensor = context.input(i);
    return tensor == nullptr || !tensor->Defined() ? std::vector<double>() : ReadDoubles(*tensor);
  };
  const auto x = read(0), weight = read(1), offset = read(2), bias = read(3), mask = read(4);
  const std::span<const int64_t> in = context.input(0)->dims(), w = context.input(1)->dims(),
                                 out = context.outputs[0].dims();
  NodeProblems problems;
  const auto kernel = w.subspan(2);
  const SlidingWindow window =
      ReadWindow(context.node, {kernel.begin(), kernel.end()}, WindowAttributes::kOnnx, &problems);
  const WindowGeometry geometry = GeometryOf(window, in.subspan(2), out.subspan(2));
  const auto& axes = geometry.axes;
  const int64_t taps = geometry.KernelSize(), positions = geometry.OutputSize(), plane = geometry.InputSize();
  const int64_t filters = w[0], depth = w[1], offset_groups = context.node.Int("offset_group", 1);
  const int64_t per_group = filters / context.node.Int("group", 1), per_offset = in[1] / offset_groups;
  const auto rank = static_cast<int64_t>(window.rank());
  std::vector<double> y(static_cast<size_t>(context.outputs[0].NumElements()));
  std::vector<double> patch(static_cast<size_t>(in[1] * taps));  // what the window sees at one position
  for (int64_t n = 0; n < in[0]; ++n) {
    for (int64_t p = 0; p < positions; ++p) {
      const int64_t place[] = {p / (axes[1].out * axes[2].out), p / axes[2].out % axes[1].out, p % axes[2].out};
      for (int64_t g = 0; g < offset_groups; ++g) {
        for (int64_t k = 0; k < taps; ++k) {
          const int64_t tap[] = {k / (axes[1].kernel * axes[2].kernel), k / axes[2].kernel % axes[1].kernel,
                                 k % axes[2].kernel};
          std::array<double, 3> at = {};
          for (int64_t i = 0; i < 3; ++i) {
            const SlidingAxis& axis = axes[static_cast<size_t>(i)];
            at[static_cast<size_t>(i)] =
                static_cast<double>(place[i] * axis.stride - axis.pad_begin + tap[i] * axis.dilation);
            if (i < 3 - rank) continue;
            const int64_t row = (((n * offset_groups + g) * taps + k) * rank + i - (3 - rank));
            at[static_cast<size_t>(i)] += offset[static_cast<size_t>(row * positions + p)];
          }
          const int64_t mask_row = (n * offset_groups + g) * taps + k;
          const double factor = mask.empty() ? 1 : mask[static_cast<size_t>(mask_row * positions + p)];
          for (int64_t c = g * per_offset; c < (g + 1) * per_offset; ++c) {
            patch[static_cast<size_t>(c * taps + k)] =
                factor * Sample(x.data() + (n * in[1] + c) * plane, geometry, at, 0);
          }
        }
      }
      for (int64_t m = 0; m < filters; ++m) {
        const double* row = weight.data() + m * depth * taps;
        const double* seen = patch.data() + m / per_group * depth * taps;
        double sum = bias.empty() ? 0 : bias[static_cast<size_t>(m)];
        for (int64_t i = 0; i < depth * taps; ++i) sum += row[i] * seen[i];
        y[static_cast<size_t>((n * filters + m) * positions + p)] = sum;
      }
    }
  }
  WriteDoubles(context.outputs[0], y);
  return {};
}

std::vector<OpTestCase> Cases() {
  CaseMaker make(0xdef0);
  return {{{make.Floats({1, 2, 5, 4}), make.Floats({3, 2, 2, 2}), make.Floats({1, 8, 4, 3}), make.Floats({3}),
            make.Floats({1, 4, 4, 3})},
           {}},
          {{make.Floats({2, 4, 5, 4}), make.Floats({4, 2, 3, 3}), make.Floats({2, 36, 3, 2})},
           {{"group", int64_t{2}}, {"offset_group", int64_t{2}}, {"pads", Dims{1, 1, 1, 1}}, {"strides", Dims{2, 2}}}},
          {{make.Floats({1, 2, 7}), make.Floats({2, 2, 3}), make.Floats({1, 3, 3})}, {{"dilations", Dims{2}}}}};
}

}  // namespace

extern const OpDef op_deform_conv = {
    .name = "DeformConv", .domain = "", .since_opset = 19, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
