// Support vector machines, row by row, in f32 (src/ops/ml/op_svm.h).
#include "src/kernels/attribute_hash.h"
#include "src/kernels/elementwise/typed.h"
#include "src/kernels/get_packed.h"
#include "src/kernels/operand_check.h"
#include "src/kernels/range_kernel.h"
#include "src/ops/ml/op_ml.h"
#include "src/ops/ml/op_svm.h"

namespace tamis {
namespace {

class PackedSvm : public PackedWeight {
 public:
  explicit PackedSvm(const SvmModel& model) : svm_(model) {}
  size_t Bytes() const override {
    const SvmModel& model = svm_.model();
    return (2 * model.support.size() + model.coefficients.size()) * sizeof(float);
  }
  const Svm<float>& svm() const { return svm_; }

 private:
  Svm<float> svm_;
};

struct Args {
  std::shared_ptr<const PackedSvm> packed;
  DType x = DType::kUndefined;
  bool wants_scores = false;
};

void Rows(const Args& args, const void* const* inputs, void* const* outputs, int64_t begin, int64_t end,
          std::byte* scratch) {
  const Svm<float>& svm = args.packed->svm();
  const int64_t features = svm.model().features, scores = svm.model().scores();
  auto* work = reinterpret_cast<float*>(scratch);
  float* wide = work + svm.ScratchElements();
  float* unwanted = wide + features;
  for (int64_t row = begin; row < end; ++row) {
    WithNumber(args.x, [&]<class X>(X) {
      const X* from = static_cast<const X*>(inputs[0]) + row * features;
      for (int64_t i = 0; i < features; ++i) wide[i] = static_cast<float>(from[i]);
    });
    if (svm.model().labels.empty()) {
      svm.Regress(wide, 1, work, static_cast<float*>(outputs[0]) + row);
      continue;
    }
    float* to = args.wants_scores ? static_cast<float*>(outputs[1]) + row * scores : unwanted;
    svm.Classify(wide, 1, work, static_cast<int64_t*>(outputs[0]) + row, to);
  }
}

Status Supports(const Problem& problem) {
  TAMIS_RETURN_IF_ERROR(CheckDomain(problem, kMlDomain));
  const DType x = problem.input(0).dtype;
  if (!WithNumber(x, [](auto) {})) return UserError("input 0 is {}; numbers are supported", Name(x));
  return problem.outputs.empty() || !problem.outputs[0].Present() ? UserError("output 0 is missing") : Status();
}

Result<std::unique_ptr<PreparedKernel>> Prepare(const Problem& problem, PackCache& cache) {
  const Node& node = *problem.node;
  const auto make = [&]() -> Result<std::shared_ptr<const PackedSvm>> {
    TAMIS_ASSIGN_OR_RETURN(const SvmModel model,
                           node.op == "SVMRegressor" ? ReadSvmRegressor(node) : ReadSvmClassifier(node));
    return std::make_shared<const PackedSvm>(model);
  };
  TAMIS_ASSIGN_OR_RETURN(auto packed, GetPacked<PackedSvm>(cache, HashAttributes(node), "svm", make));
  const SvmModel& model = packed->svm().model();
  const size_t scratch =
      (packed->svm().ScratchElements() + static_cast<size_t>(model.features + model.scores())) * sizeof(float);
  const Args args{packed, problem.input(0).dtype, problem.outputs.size() > 1 && problem.outputs[1].Present()};
  const int64_t grain = GrainFor(model.features * (model.vectors + model.classes() + 1), 32768);
  return std::unique_ptr<PreparedKernel>(
      std::make_unique<RangeKernel<Args>>(args, Rows, problem.outputs[0].dims[0], grain, problem.threads, scratch));
}

double Cost(const Problem& problem) {
  const auto vectors = static_cast<double>(problem.node->Floats("support_vectors").size());
  const double rows = static_cast<double>(problem.outputs[0].dims[0]);
  return PredictSeconds(problem, Isa::kX86_64, 4.0 * rows * vectors);
}

}  // namespace

extern const KernelDef kernel_svm = {
    .name = "svm",
    .family = "svm",
    .ops = {"SVMClassifier", "SVMRegressor"},
    .isa = Isa::kX86_64,
    .supports = Supports,
    .cost = Cost,
    .prepare = Prepare,
};

}  // namespace tamis
