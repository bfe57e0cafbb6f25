// SVMRegressor: a sum over support vectors, or over features where there are none.
#include "src/ops/ml/op_ml.h"
#include "src/ops/ml/op_svm.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  const auto model = ReadSvmRegressor(context.node());
  return model.ok() ? InferSvm(context, *model) : context.Error(model.status().message());
}

Status Eval(EvalContext& context) {
  const auto model = ReadSvmRegressor(context.node);
  return model.ok() ? EvalSvm(context, *model) : context.Error(model.status().message());
}

std::vector<OpTestCase> Cases() {
  const auto floats = [](uint64_t seed, int64_t count) {
    const Tensor sample = SampleFloats(seed, {count}, -1, 1);
    return std::vector<float>(sample.Data<float>(), sample.Data<float>() + count);
  };
  std::vector<OpTestCase> cases;
  for (const char* kernel : {"LINEAR", "POLY", "RBF", "SIGMOID"}) {
    cases.push_back({{SampleFloats(1, {5, 11})},
                     {{"kernel_type", std::string(kernel)},
                      {"kernel_params", std::vector<float>{0.25F, 0.5F, 3}},
                      {"n_supports", int64_t{7}},
                      {"support_vectors", floats(2, 77)},
                      {"coefficients", floats(3, 7)},
                      {"rho", std::vector<float>{0.125F}}}});
  }
  cases.push_back({{SampleFloats(4, {3})}, {{"coefficients", floats(5, 3)}, {"rho", floats(6, 1)}}});
  cases.push_back(cases[2]);
  cases.back().attributes["one_class"] = int64_t{1};
  return cases;
}

}  // namespace

extern const OpDef op_svm_regressor = {
    .name = "SVMRegressor", .domain = kMlDomain, .since_opset = 1, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
