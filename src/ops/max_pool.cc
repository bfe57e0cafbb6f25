// MaxPool: the largest element under a sliding window; padding never wins. Output 1 says where each comes from.
#include "src/ops/op_case.h"
#include "src/ops/op_pool.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  operands.CheckDType(
      0, {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16, DType::kInt8, DType::kUInt8}, &problems);
  TAMIS_ASSIGN_OR_RETURN(std::vector<Type> types,
                         PoolType(operands, Layout::kChannelsFirst, operands.dtype(0), std::move(problems)));
  types.push_back(types[0]);
  types[1].dtype = DType::kInt64;
  return types;
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  ComputePool(context, Layout::kChannelsFirst, PoolKind::kMax);
  if (context.outputs.size() > 1) ComputeMaxIndices(context);
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0x3a7001);
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({2, 3, 9, 8})},
                   {{"kernel_shape", Dims{3, 3}}, {"strides", Dims{2, 2}}, {"pads", Dims{1, 1, 1, 1}}}});
  cases.push_back(
      {{make.Floats({1, 2, 10, 7})},
       {{"kernel_shape", Dims{3, 2}}, {"strides", Dims{2, 3}}, {"ceil_mode", int64_t{1}}, {"pads", Dims{0, 1, 1, 0}}}});
  cases.push_back(
      {{make.Floats({1, 3, 11})}, {{"kernel_shape", Dims{3}}, {"dilations", Dims{2}}, {"pads", Dims{1, 2}}}});
  cases.push_back({{make.Floats({1, 2, 7, 5})},
                   {{"kernel_shape", Dims{2, 3}}, {"strides", Dims{2, 2}}, {"auto_pad", std::string("SAME_LOWER")}}});
  cases.push_back({{make.Floats({1, 2, 5, 4, 6})},
                   {{"kernel_shape", Dims{2, 2, 3}}, {"strides", Dims{1, 2, 2}}, {"auto_pad", std::string("VALID")}}});
  return cases;
}

}  // namespace

extern const OpDef op_max_pool = {
    .name = "MaxPool", .domain = "", .since_opset = 1, .infer = Infer, .eval = Eval, .test_cases = TestCases};

}  // namespace tamis
