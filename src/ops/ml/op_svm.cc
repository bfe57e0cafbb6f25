#include "src/ops/ml/op_svm.h"

#include <algorithm>
#include <cmath>

#include "src/ops/ml/op_ml.h"
#include "src/ops/op_doubles.h"
#include "src/ops/op_rule.h"

namespace tamis {
namespace {

using Kernel = SvmModel::Kernel;

// Sums run in parts of their own, which vectors hold.
template <class W, class F>
W SumOver(int64_t count, F term) {
  constexpr int64_t kParts = 8;
  W parts[kParts] = {};
  int64_t i = 0;
  for (; i + kParts <= count; i += kParts) {
    for (int64_t part = 0; part < kParts; ++part) parts[part] += term(i + part);
  }
  for (; i < count; ++i) parts[0] += term(i);
  W total = 0;
  for (const W part : parts) total += part;
  return total;
}

// x to the power `degree`; by products where that is a small whole number, as it nearly always is.
template <class W>
W Power(W x, float degree) {
  constexpr float kMostProducts = 8;
  if (degree != std::floor(degree) || degree < 1 || degree > kMostProducts) return std::pow(x, static_cast<W>(degree));
  W result = x;
  for (float done = 1; done < degree; ++done) result *= x;
  return result;
}

void ReadKernel(const Node& node, SvmModel* model, NodeProblems* problems) {
  const std::string kernel = node.String("kernel_type", "LINEAR");
  if (kernel == "LINEAR") {
    model->kernel = Kernel::kLinear;
  } else if (kernel == "POLY") {
    model->kernel = Kernel::kPolynomial;
  } else if (kernel == "RBF") {
    model->kernel = Kernel::kRadial;
  } else if (kernel == "SIGMOID") {
    model->kernel = Kernel::kSigmoid;
  } else {
    problems->Add("kernel_type is '{}', must be LINEAR, POLY, RBF or SIGMOID", kernel);
  }
  const auto parameters = node.Floats("kernel_params");
  if (parameters.size() == 3) {
    model->gamma = parameters[0];
    model->offset = parameters[1];
    model->degree = parameters[2];
  } else if (!parameters.empty()) {
    problems->Add("kernel_params has {} elements, must have 3", parameters.size());
  }
  if (node.String("post_transform", "NONE") != "NONE") problems->Add("post_transform must be NONE here");
}

void ReadVectors(const Node& node, SvmModel* model, NodeProblems* problems) {
  model->support = node.Floats("support_vectors");
  model->coefficients = node.Floats("coefficients");
  model->rho = node.Floats("rho");
  if (model->coefficients.empty()) problems->Add("coefficients are missing");
  if (model->vectors < 0) problems->Add("the number of support vectors is negative");
  if (model->vectors <= 0) {
    model->kernel = Kernel::kLinear;
    return;
  }
  model->features = static_cast<int64_t>(model->support.size()) / model->vectors;
  if (model->features < 1 || model->features * model->vectors != static_cast<int64_t>(model->support.size())) {
    problems->Add("support_vectors has {} elements for {} vectors", model->support.size(), model->vectors);
  }
}

}  // namespace

int64_t SvmModel::scores() const {
  if (vectors == 0 || !prob_a.empty()) return classes();
  return pairs() == 1 ? 2 : pairs();
}

Result<SvmModel> ReadSvmRegressor(const Node& node) {
  SvmModel model;
  NodeProblems problems;
  model.vectors = node.Int("n_supports", 0);
  model.one_class = node.Int("one_class", 0) != 0;
  ReadKernel(node, &model, &problems);
  ReadVectors(node, &model, &problems);
  const auto size = static_cast<int64_t>(model.coefficients.size());
  if (model.vectors == 0) model.features = size;
  if (model.vectors > 0 && size != model.vectors) {
    problems.Add("coefficients has {} elements for {} vectors", size, model.vectors);
  }
  if (model.rho.empty()) problems.Add("rho is missing");
  TAMIS_RETURN_IF_ERROR(problems.status());
  return model;
}

Result<SvmModel> ReadSvmClassifier(const Node& node) {
  SvmModel model;
  NodeProblems problems;
  model.labels = node.Ints("classlabels_ints");
  model.prob_a = node.Floats("prob_a");
  model.prob_b = node.Floats("prob_b");
  constexpr int64_t kMostClasses = 65535;
  const int64_t classes = model.classes();
  if (classes < 1 || classes > kMostClasses) problems.Add("classlabels_ints has {} elements", classes);
  model.first = {0};
  for (const int64_t count : node.Ints("vectors_per_class")) {
    if (count < 0 || count > (int64_t{1} << 40)) problems.Add("vectors_per_class has {}", count);
    model.first.push_back(model.first.back() + std::clamp<int64_t>(count, 0, int64_t{1} << 40));
  }
  model.vectors = model.first.back();
  ReadKernel(node, &model, &problems);
  ReadVectors(node, &model, &problems);
  const auto check = [&](const char* name, size_t size, int64_t wanted) {
    if (static_cast<int64_t>(size) != wanted) problems.Add("{} has {} elements, must have {}", name, size, wanted);
  };
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (model.vectors > 0) {
    if (classes < 2) problems.Add("there is one class");
    check("vectors_per_class", model.first.size() - 1, classes);
    check("coefficients", model.coefficients.size(), (classes - 1) * model.vectors);
    check("rho", model.rho.size(), model.pairs());
    if (!model.prob_a.empty()) check("prob_a", model.prob_a.size(), model.pairs());
    check("prob_b", model.prob_b.size(), static_cast<int64_t>(model.prob_a.size()));
  } else {
    model.features = static_cast<int64_t>(model.coefficients.size()) / classes;
    check("coefficients", model.coefficients.size(), model.features * classes);
    if (model.rho.empty()) problems.Add("rho is missing");
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  return model;
}

Status InferSvm(InferContext& context, const SvmModel& model) {
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kNumbers));
  TAMIS_ASSIGN_OR_RETURN(const auto rows, RowsOf(context, model.features));
  if (model.labels.empty()) {
    context.SetOutputDType(0, DType::kFloat32);
    return rows ? SetShape(context, 0, DType::kFloat32, {*rows, Dim(1)}) : Status();
  }
  context.SetOutputDType(0, DType::kInt64);
  if (context.NumOutputs() > 1) context.SetOutputDType(1, DType::kFloat32);
  if (!rows) return {};
  TAMIS_RETURN_IF_ERROR(SetShape(context, 0, DType::kInt64, {*rows}));
  return context.NumOutputs() > 1 ? SetShape(context, 1, DType::kFloat32, {*rows, Dim(model.scores())}) : Status();
}

Status EvalSvm(EvalContext& context, const SvmModel& model) {
  TAMIS_ASSIGN_OR_RETURN(const auto bound, Bind(context));
  const Svm<double> svm(model);
  const std::vector<double> x = ReadDoubles(*context.input(0));
  const int64_t rows = context.outputs[0].dim(0);
  std::vector<double> scratch(svm.ScratchElements());
  if (model.labels.empty()) {
    svm.Regress(x.data(), rows, scratch.data(), context.outputs[0].Data<float>());
    return {};
  }
  std::vector<float> unwanted(context.outputs.size() > 1 ? 0 : static_cast<size_t>(rows * model.scores()));
  float* scores = context.outputs.size() > 1 ? context.outputs[1].Data<float>() : unwanted.data();
  svm.Classify(x.data(), rows, scratch.data(), context.outputs[0].Data<int64_t>(), scores);
  return {};
}

template <class W>
Svm<W>::Svm(const SvmModel& model) : model_(model), support_(model.support.begin(), model.support.end()) {}

template <class W>
size_t Svm<W>::ScratchElements() const {
  const int64_t coupling = model_.prob_a.empty() ? 0 : model_.classes() * (2 * model_.classes() + 1);
  return static_cast<size_t>(model_.vectors + model_.pairs() + model_.classes() + coupling);
}

template <class W>
W Svm<W>::Kernel(const W* x, const W* vector) const {
  const int64_t count = model_.features;
  if (model_.kernel == SvmModel::Kernel::kRadial) {
    const W distance = SumOver<W>(count, [&](int64_t i) { return (x[i] - vector[i]) * (x[i] - vector[i]); });
    return std::exp(-static_cast<W>(model_.gamma) * distance);
  }
  const W product = SumOver<W>(count, [&](int64_t i) { return x[i] * vector[i]; });
  if (model_.kernel == SvmModel::Kernel::kLinear) return product;
  const W scaled = static_cast<W>(model_.gamma) * product + static_cast<W>(model_.offset);
  if (model_.kernel == SvmModel::Kernel::kSigmoid) return std::tanh(scaled);
  return Power(scaled, model_.degree);
}

template <class W>
void Svm<W>::KernelRow(const W* x, W* values) const {
  for (int64_t v = 0; v < model_.vectors; ++v) values[v] = Kernel(x, support_.data() + v * model_.features);
}

template <class W>
void Svm<W>::Regress(const W* x, int64_t rows, W* scratch, float* y) const {
  const float* weights = model_.coefficients.data();
  for (int64_t row = 0; row < rows; ++row, x += model_.features) {
    const W* values = x;
    if (model_.vectors > 0) {
      KernelRow(x, scratch);
      values = scratch;
    }
    const int64_t count = model_.vectors > 0 ? model_.vectors : model_.features;
    const W sum = SumOver<W>(count, [&](int64_t i) { return static_cast<W>(weights[i]) * values[i]; });
    const auto result = static_cast<float>(sum + static_cast<W>(model_.rho[0]));
    y[row] = !model_.one_class ? result : result > 0 ? 1.0F : -1.0F;
  }
}

template <class W>
int64_t Svm<W>::PairScores(const W* kernels, W* pair_scores, W* votes) const {
  const int64_t classes = model_.classes();
  std::fill_n(votes, classes, W(0));
  const auto part = [&](int64_t row, int64_t of) {
    const int64_t begin = model_.first[static_cast<size_t>(of)], end = model_.first[static_cast<size_t>(of) + 1];
    const float* weights = model_.coefficients.data() + row * model_.vectors + begin;
    return SumOver<W>(end - begin, [&](int64_t i) { return static_cast<W>(weights[i]) * kernels[begin + i]; });
  };
  int64_t pair = 0;
  for (int64_t i = 0; i < classes; ++i) {
    for (int64_t j = i + 1; j < classes; ++j, ++pair) {
      const W sum = part(j - 1, i) + part(i, j) + static_cast<W>(model_.rho[static_cast<size_t>(pair)]);
      pair_scores[pair] = sum;
      votes[sum > 0 ? i : j] += 1;
    }
  }
  return std::max_element(votes, votes + classes) - votes;
}

// The iteration ends by a tolerance that shows in the results, so that it is in float whatever W is, as everyone has
// it.
template <class W>
void Svm<W>::Couple(const W* pair_scores, float* work, float* p) const {
  const auto classes = static_cast<size_t>(model_.classes());
  constexpr float kLeast = 1e-7F;
  constexpr int kMostRounds = 100;
  float *r = work, *q = r + classes * classes, *qp = q + classes * classes;
  std::fill_n(q, classes * classes, 0.0F);
  size_t pair = 0;
  for (size_t i = 0; i < classes; ++i) {
    for (size_t j = i + 1; j < classes; ++j, ++pair) {
      const float score = static_cast<float>(pair_scores[pair]) * model_.prob_a[pair] + model_.prob_b[pair];
      const float probability = std::clamp(1 / (1 + std::exp(score)), kLeast, 1 - kLeast);
      r[i * classes + j] = probability;
      r[j * classes + i] = 1 - probability;
    }
  }
  for (size_t i = 0; i < classes; ++i) {
    p[i] = 1.0F / static_cast<float>(classes);
    for (size_t j = 0; j < classes; ++j) {
      if (i == j) continue;
      q[i * classes + i] += r[j * classes + i] * r[j * classes + i];
      q[i * classes + j] = -r[j * classes + i] * r[i * classes + j];
    }
  }
  const float tolerance = 0.005F / static_cast<float>(classes);
  for (int round = 0; round < kMostRounds; ++round) {
    float pqp = 0, worst = 0;
    for (size_t i = 0; i < classes; ++i) {
      qp[i] = 0;
      for (size_t j = 0; j < classes; ++j) qp[i] += q[i * classes + j] * p[j];
      pqp += p[i] * qp[i];
    }
    for (size_t i = 0; i < classes; ++i) worst = std::max(worst, std::abs(qp[i] - pqp));
    if (worst < tolerance) break;
    for (size_t i = 0; i < classes; ++i) {
      const float step = (pqp - qp[i]) / q[i * classes + i];
      p[i] += step;
      pqp = (pqp + step * (step * q[i * classes + i] + 2 * qp[i])) / (1 + step) / (1 + step);
      for (size_t j = 0; j < classes; ++j) {
        qp[j] = (qp[j] + step * q[i * classes + j]) / (1 + step);
        p[j] /= 1 + step;
      }
    }
  }
}

template <class W>
void Svm<W>::Classify(const W* x, int64_t rows, W* scratch, int64_t* labels, float* scores) const {
  const int64_t classes = model_.classes(), width = model_.scores();
  W *pair_scores = scratch + model_.vectors, *votes = pair_scores + model_.pairs();
  for (int64_t row = 0; row < rows; ++row, x += model_.features, scores += width) {
    int64_t best = 0;
    if (model_.vectors == 0) {
      for (int64_t c = 0; c < classes; ++c) {
        const float* weights = model_.coefficients.data() + c * model_.features;
        const W sum = SumOver<W>(model_.features, [&](int64_t i) { return static_cast<W>(weights[i]) * x[i]; });
        scores[c] = static_cast<float>(sum + static_cast<W>(model_.rho[0]));
      }
      best = std::max_element(scores, scores + classes) - scores;
    } else {
      KernelRow(x, scratch);
      best = PairScores(scratch, pair_scores, votes);
      if (!model_.prob_a.empty()) {
        Couple(pair_scores, reinterpret_cast<float*>(votes + classes), scores);
      } else if (width == model_.pairs()) {
        std::transform(pair_scores, pair_scores + width, scores, [](W score) { return static_cast<float>(score); });
      } else {
        scores[0] = static_cast<float>(-pair_scores[0]);
        scores[1] = static_cast<float>(pair_scores[0]);
      }
    }
    labels[row] = model_.labels[static_cast<size_t>(best)];
  }
}

template class Svm<float>;
template class Svm<double>;

}  // namespace tamis
