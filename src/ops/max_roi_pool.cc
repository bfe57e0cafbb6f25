// MaxRoiPool: the greatest element in each of pooled_shape bins of regions rois[R, 5] (item, x1, y1, x2, y2) of
// x[N, C, H, W]. Edges are rounded to whole elements; an empty bin gives 0.
#include <algorithm>
#include <cmath>

#include "src/ops/op_case.h"
#include "src/ops/op_data.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 2));
  for (size_t i : {0, 1}) TAMIS_RETURN_IF_ERROR(CheckDType(context, i, kFloats));
  TAMIS_RETURN_IF_ERROR(CheckSameDType(context, 0, 1));
  const std::vector<int64_t> pooled = context.node().Ints("pooled_shape");
  if (pooled.size() != 2 || pooled[0] < 1 || pooled[1] < 1 || pooled[0] > 65536 || pooled[1] > 65536) {
    return context.Error("attribute 'pooled_shape' must hold two positive sizes");
  }
  context.SetOutputDType(0, context.InputDType(0));
  const Shape* x = context.InputShape(0);
  const Shape* rois = context.InputShape(1);
  if (x == nullptr || rois == nullptr) return {};
  if (x->size() != 4 || rois->size() != 2 || !MayEqual((*rois)[1], Dim(5))) {
    return context.Error(
        fmt::format("input {} and rois {} must be [N, C, H, W] and [R, 5]", ToString(*x), ToString(*rois)));
  }
  return SetShape(context, 0, context.InputDType(0), {(*rois)[0], (*x)[1], Dim(pooled[0]), Dim(pooled[1])});
}

struct Range {
  int64_t begin = 0, end = 0;
};
Range BinOf(double low, double high, int64_t bin, int64_t bins, int64_t size) {
  const double width = std::max(high - low + 1, 1.0) / static_cast<double>(bins);
  const auto limit = static_cast<double>(size);
  const double begin = std::clamp(low + std::floor(static_cast<double>(bin) * width), 0.0, limit);
  const double end = std::clamp(low + std::ceil(static_cast<double>(bin + 1) * width), 0.0, limit);
  return {static_cast<int64_t>(begin), static_cast<int64_t>(end)};
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const auto x = ReadDoubles(*context.input(0)), rois = ReadDoubles(*context.input(1));
  const Dims& dims = context.input(0)->dims();
  const auto scale = static_cast<double>(context.node.Float("spatial_scale", 1));
  Tensor& output = context.outputs[0];
  const int64_t height = output.dim(2), width = output.dim(3);
  std::vector<double> y;
  for (int64_t r = 0; r < output.dim(0); ++r) {
    const double* roi = rois.data() + r * 5;
    for (int i = 0; i < 5; ++i) {
      if (!std::isfinite(roi[i])) return context.Error(fmt::format("region {} is not finite", r));
    }
    if (roi[0] < 0 || roi[0] >= static_cast<double>(dims[0])) {
      return context.Error(fmt::format("region {} lies in item {}, there are {}", r, roi[0], dims[0]));
    }
    const auto item = static_cast<int64_t>(roi[0]);
    const auto edge = [&](int i) { return std::round(roi[i] * scale); };
    for (int64_t c = 0; c < dims[1]; ++c) {
      const double* plane = x.data() + (item * dims[1] + c) * dims[2] * dims[3];
      for (int64_t i = 0; i < height; ++i) {
        const Range rows = BinOf(edge(2), edge(4), i, height, dims[2]);
        for (int64_t j = 0; j < width; ++j) {
          const Range columns = BinOf(edge(1), edge(3), j, width, dims[3]);
          const bool empty = rows.begin >= rows.end || columns.begin >= columns.end;
          double most = empty ? 0 : -HUGE_VAL;
          for (int64_t h = rows.begin; h < rows.end; ++h) {
            for (int64_t w = columns.begin; w < columns.end; ++w) most = std::max(most, plane[h * dims[3] + w]);
          }
          y.push_back(most);
        }
      }
    }
  }
  WriteDoubles(output, y);
  return {};
}

std::vector<OpTestCase> Cases() {
  CaseMaker make(0x0a12);
  const Tensor rois = Tensor::Of<float>(DType::kFloat32, {2, 5}, std::vector<float>{0, 0, 0, 5, 6, 1, 3, 2, 12, 7});
  return {{{make.Floats({2, 3, 9, 8}), rois}, {{"pooled_shape", std::vector<int64_t>{2, 3}}}},
          {{make.Floats({2, 3, 9, 8}), rois}, {{"pooled_shape", std::vector<int64_t>{1, 1}}, {"spatial_scale", 0.5f}}}};
}

}  // namespace

extern const OpDef op_max_roi_pool = {
    .name = "MaxRoiPool", .domain = "", .since_opset = 1, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
