// GridSample: x[N, C, spatial...] read at grid[N, out..., r], whose last axis holds coordinates in [-1, 1], the last
// spatial axis first. Any number of spatial axes.
#include "src/ops/op_case.h"
#include "src/ops/op_data.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_grid_sample.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 2));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kNumbers | kBools));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 1, kFloats));
  NodeProblems problems;
  ReadGridOptions(context.node(), &problems);
  if (!problems.empty()) return context.Error(problems.text());
  context.SetOutputDType(0, context.InputDType(0));
  const Shape* x = context.InputShape(0);
  const Shape* grid = context.InputShape(1);
  if (x == nullptr || grid == nullptr) return {};
  const bool fits = x->size() >= 3 && grid->size() == x->size() && MayEqual((*x)[0], (*grid)[0]) &&
                    MayEqual(grid->back(), Dim(static_cast<int64_t>(x->size()) - 2));
  if (!fits) return context.Error(fmt::format("the grid {} does not fit the input {}", ToString(*grid), ToString(*x)));
  Shape shape = {(*x)[0], (*x)[1]};
  shape.insert(shape.end(), grid->begin() + 1, grid->end() - 1);
  for (size_t i = 2; i < x->size(); ++i) {
    if ((*x)[i] == Dim(0)) return context.Error("an input without elements can't be sampled");
  }
  return SetShape(context, 0, context.InputDType(0), std::move(shape));
}

// sum over all combinations of taps of the axes from `axis` on.
double Mix(const double* plane, const std::vector<GridTaps>& taps, const std::vector<int64_t>& strides, size_t axis) {
  if (axis == taps.size()) return *plane;
  double sum = 0;
  for (int t = 0; t < taps[axis].count; ++t) {
    const double weight = taps[axis].weight[t];
    if (taps[axis].index[t] < 0 || weight == 0) continue;
    sum += weight * Mix(plane + taps[axis].index[t] * strides[axis], taps, strides, axis + 1);
  }
  return sum;
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  NodeProblems problems;
  const GridOptions options = ReadGridOptions(context.node, &problems);
  const auto x = ReadDoubles(*context.input(0)), grid = ReadDoubles(*context.input(1));
  const Dims& dims = context.input(0)->dims();
  const size_t axes = dims.size() - 2;
  const auto strides = RowMajorStrides(dims);
  const std::vector<int64_t> spatial(strides.begin() + 2, strides.end());
  Tensor& output = context.outputs[0];
  const int64_t positions = CountOf(output.dims(), 2, output.dims().size());
  std::vector<double> y(static_cast<size_t>(output.NumElements()));
  std::vector<GridTaps> taps(axes);
  for (int64_t n = 0; n < dims[0]; ++n) {
    for (int64_t p = 0; p < positions; ++p) {
      const double* at = grid.data() + (n * positions + p) * static_cast<int64_t>(axes);
      for (size_t axis = 0; axis < axes; ++axis) {
        taps[axis] = GridTapsAt(options, at[axes - 1 - axis], dims[axis + 2]);
      }
      for (int64_t c = 0; c < dims[1]; ++c) {
        const int64_t plane = n * dims[1] + c;
        y[static_cast<size_t>(plane * positions + p)] = Mix(x.data() + plane * strides[1], taps, spatial, 0);
      }
    }
  }
  WriteDoubles(output, y);
  return {};
}

std::vector<OpTestCase> Cases() {
  CaseMaker make(0x9a1d);
  std::vector<OpTestCase> cases;
  for (const char* mode : {"linear", "nearest", "cubic"}) {
    for (const char* padding : {"zeros", "border", "reflection"}) {
      cases.push_back({{make.Floats({2, 3, 5, 4}), make.Floats({2, 3, 7, 2}, -1.6f, 1.6f)},
                       {{"mode", std::string(mode)}, {"padding_mode", std::string(padding)}}});
    }
  }
  cases.push_back({{make.Floats({1, 2, 3, 4, 5}), make.Floats({1, 2, 2, 3, 3}, -1.2f, 1.2f)}, {}});
  cases.push_back(
      {{make.Floats({1, 2, 4, 5}), make.Floats({1, 3, 3, 2}, -1.2f, 1.2f)}, {{"align_corners", int64_t{1}}}});
  return cases;
}

}  // namespace

extern const OpDef op_grid_sample = {
    .name = "GridSample", .domain = "", .since_opset = 16, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
