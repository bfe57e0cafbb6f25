#include "src/ops/ml/op_trees.h"

#include "src/ops/ml/op_ml.h"
#include "src/ops/op_doubles.h"

namespace tamis {

ReadTrees TreeReaderOf(const Node& node) {
  return node.op == "TreeEnsemble" ? ReadTreesByIndex : ReadTreesById;
}

Status InferTrees(InferContext& context, DType result) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, result == DType::kUndefined ? kFloats : kNumbers));
  const auto trees = TreeReaderOf(context.node())(context.node());
  if (!trees.ok()) return context.Error(trees.status().message());
  const DType dtype = result == DType::kUndefined ? context.InputDType(0) : result;
  context.SetOutputDType(0, dtype);
  TAMIS_ASSIGN_OR_RETURN(const auto rows, RowsOf(context, -1));
  if (!rows) return {};
  const Dim& columns = context.InputShape(0)->back();
  if (columns.IsConstant() && *columns.Constant() < trees->NumFeatures()) {
    return context.Error(fmt::format("input 0 is {}; the trees compare feature {}", ToString(*context.InputShape(0)),
                                     trees->NumFeatures() - 1));
  }
  return SetShape(context, 0, dtype, {*rows, Dim(trees->targets)});
}

Status EvalTrees(EvalContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  TAMIS_ASSIGN_OR_RETURN(const TreeEnsemble trees, TreeReaderOf(context.node)(context.node));
  const Tensor& x = *context.input(0);
  Tensor& y = context.outputs[0];
  const int64_t rows = y.dim(0), columns = x.dim(-1);
  if (rows == 0) return {};
  const auto sum = [&]<class T>(const T* elements) {
    const Forest<T> forest(trees);
    std::vector<double> scratch(forest.ScratchDoubles(rows));
    if constexpr (std::is_same_v<T, double>) {
      if (y.dtype() == DType::kFloat64) return forest.Sum(elements, rows, columns, scratch.data(), y.Data<double>());
    }
    forest.Sum(elements, rows, columns, scratch.data(), y.Data<float>());
  };
  // Thresholds are compared in the operand's own type.
  if (x.dtype() == DType::kFloat32) {
    sum(x.Data<float>());
  } else {
    sum(ReadDoubles(x).data());
  }
  return {};
}

}  // namespace tamis
