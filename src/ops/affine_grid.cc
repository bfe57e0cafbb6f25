// AffineGrid: theta[N, r, r + 1] applied to the coordinates of an image of `size` [N, C, spatial...], r = 2 or 3; the
// result [N, spatial..., r] is a grid for GridSample.
#include "src/ops/op_case.h"
#include "src/ops/op_data.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 2, 2));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kFloats));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 1, kIntegers));
  const DType dtype = context.InputDType(0);
  context.SetOutputDType(0, dtype);
  const Shape* theta = context.InputShape(0);
  const auto rank_of = [&]() -> std::optional<int64_t> {
    if (theta != nullptr && theta->size() == 3 && (*theta)[1].IsConstant()) return (*theta)[1].Constant();
    const Shape* size = context.InputShape(1);
    if (size == nullptr || size->size() != 1 || !(*size)[0].IsConstant()) return std::nullopt;
    return *(*size)[0].Constant() - 2;
  };
  const auto rank = rank_of();
  if (rank && *rank != 2 && *rank != 3) return context.Error(fmt::format("{} spatial axes; 2 and 3 are known", *rank));
  if (theta != nullptr && rank &&
      (theta->size() != 3 || !MayEqual((*theta)[1], Dim(*rank)) || !MayEqual((*theta)[2], Dim(*rank + 1)))) {
    return context.Error(fmt::format("theta is {} but must be [N, {}, {}]", ToString(*theta), *rank, *rank + 1));
  }
  if (!rank) return {};
  const auto size = Contents(context, 1);
  if (size && size->size() != static_cast<size_t>(*rank) + 2) {
    return context.Error(fmt::format("the size has {} numbers, must have {}", size->size(), *rank + 2));
  }
  Shape shape;
  for (size_t i = 0; i < static_cast<size_t>(*rank) + 1; ++i) {
    shape.push_back(size ? (*size)[i == 0 ? 0 : i + 1] : context.DataDim(0, i));
  }
  if (theta != nullptr) {
    if (size && !MayEqual((*theta)[0], (*size)[0])) {
      return context.Error(
          fmt::format("theta is {} but the size asks for a batch of {}", ToString(*theta), (*size)[0].ToString()));
    }
    shape[0] = (*theta)[0];
  }
  shape.emplace_back(*rank);
  return SetShape(context, 0, dtype, std::move(shape));
}

Status Eval(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const auto theta = ReadDoubles(*context.input(0));
  const bool align = context.node.Int("align_corners", 0) != 0;
  Tensor& output = context.outputs[0];
  const Dims& dims = output.dims();
  const auto rank = dims.size() - 2;
  const int64_t positions = CountOf(dims, 1, dims.size() - 1);
  std::vector<double> y;
  y.reserve(static_cast<size_t>(output.NumElements()));
  std::vector<double> at(rank + 1, 1.0);  // the last spatial axis first, then 1
  for (int64_t n = 0; n < dims[0]; ++n) {
    const double* matrix = theta.data() + n * static_cast<int64_t>(rank * (rank + 1));
    for (int64_t p = 0; p < positions; ++p) {
      int64_t rest = p;
      for (size_t axis = rank; axis-- > 0;) {
        const auto size = static_cast<double>(dims[axis + 1]);
        const auto i = static_cast<double>(rest % dims[axis + 1]);
        rest /= dims[axis + 1];
        at[rank - 1 - axis] = !align ? (2 * i + 1) / size - 1 : size > 1 ? 2 * i / (size - 1) - 1 : 0;
      }
      for (size_t row = 0; row < rank; ++row) {
        double sum = 0;
        for (size_t k = 0; k <= rank; ++k) sum += matrix[row * (rank + 1) + k] * at[k];
        y.push_back(sum);
      }
    }
  }
  WriteDoubles(output, y);
  return {};
}

std::vector<OpTestCase> Cases() {
  CaseMaker make(0xaff1);
  const Tensor flat = Tensor::Int64s(std::vector<int64_t>{2, 3, 4, 5});
  const Tensor deep = Tensor::Int64s(std::vector<int64_t>{1, 3, 2, 4, 3});
  return {{{make.Floats({2, 2, 3}), flat}, {}},
          {{make.Floats({2, 2, 3}), flat}, {{"align_corners", int64_t{1}}}},
          {{make.Floats({1, 3, 4}), deep}, {}}};
}

}  // namespace

extern const OpDef op_affine_grid = {
    .name = "AffineGrid", .domain = "", .since_opset = 20, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
