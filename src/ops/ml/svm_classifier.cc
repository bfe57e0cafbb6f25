// SVMClassifier: a vote of all pairs of classes, with the scores of the pairs or probabilities made of them. Labels
// that are strings, and transforms of scores, are written out as operators of ONNX when a file is imported.
#include "src/ops/ml/op_ml.h"
#include "src/ops/ml/op_svm.h"
#include "src/ops/op_elementwise.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  const auto model = ReadSvmClassifier(context.node());
  return model.ok() ? InferSvm(context, *model) : context.Error(model.status().message());
}

Status Eval(EvalContext& context) {
  const auto model = ReadSvmClassifier(context.node);
  return model.ok() ? EvalSvm(context, *model) : context.Error(model.status().message());
}

std::vector<OpTestCase> Cases() {
  const auto floats = [](uint64_t seed, int64_t count) {
    const Tensor sample = SampleFloats(seed, {count}, -1, 1);
    return std::vector<float>(sample.Data<float>(), sample.Data<float>() + count);
  };
  const OpTestCase three = {{SampleFloats(1, {6, 9})},
                            {{"kernel_type", std::string("RBF")},
                             {"kernel_params", std::vector<float>{0.25F, 0, 3}},
                             {"vectors_per_class", Dims{2, 3, 1}},
                             {"classlabels_ints", Dims{7, 8, 9}},
                             {"support_vectors", floats(2, 54)},
                             {"coefficients", floats(3, 12)},
                             {"rho", floats(4, 3)}}};
  OpTestCase probable = three;
  probable.attributes["prob_a"] = std::vector<float>{-1, -2, -0.5F};
  probable.attributes["prob_b"] = std::vector<float>{0.25F, 0, -0.25F};
  const OpTestCase two = {{SampleFloats(5, {4, 2})},
                          {{"vectors_per_class", Dims{1, 2}},
                           {"classlabels_ints", Dims{0, 1}},
                           {"support_vectors", floats(6, 6)},
                           {"coefficients", floats(7, 3)},
                           {"rho", floats(8, 1)}}};
  const OpTestCase weights = {
      {SampleFloats(9, {4, 5})},
      {{"classlabels_ints", Dims{0, 1, 2}}, {"coefficients", floats(10, 15)}, {"rho", floats(11, 1)}}};
  return {three, probable, two, weights};
}

}  // namespace

extern const OpDef op_svm_classifier = {
    .name = "SVMClassifier", .domain = kMlDomain, .since_opset = 1, .infer = Infer, .eval = Eval, .test_cases = Cases};

}  // namespace tamis
