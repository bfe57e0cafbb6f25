#include "src/ops/op_recurrent.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <optional>

#include "src/ops/op_doubles.h"
#include "src/ops/op_numeric.h"

namespace tamis {
namespace {

struct FunctionName {
  const char* name;  // in lower case: exporters disagree on it
  CellFunction function;
  std::optional<float> alpha, beta;  // the defaults of those it takes
};
constexpr FunctionName kFunctions[] = {
    {"relu", CellFunction::kRelu, {}, {}},
    {"tanh", CellFunction::kTanh, {}, {}},
    {"sigmoid", CellFunction::kSigmoid, {}, {}},
    {"affine", CellFunction::kAffine, 1.0f, 0.0f},
    {"leakyrelu", CellFunction::kLeakyRelu, 0.01f, {}},
    {"thresholdedrelu", CellFunction::kThresholdedRelu, 1.0f, {}},
    {"scaledtanh", CellFunction::kScaledTanh, 1.0f, 1.0f},
    {"hardsigmoid", CellFunction::kHardSigmoid, 0.2f, 0.5f},
    {"elu", CellFunction::kElu, 1.0f, {}},
    {"softsign", CellFunction::kSoftsign, {}, {}},
    {"softplus", CellFunction::kSoftplus, {}, {}},
};

const FunctionName* FindFunction(std::string name) {
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const FunctionName& function : kFunctions) {
    if (name == function.name) return &function;
  }
  return nullptr;
}

std::vector<std::string> DefaultFunctions(const Recurrent& recurrent) {
  std::vector<std::string> names;
  for (int64_t d = 0; d < recurrent.directions; ++d) {
    if (recurrent.cell != Cell::kRnn) names.push_back("sigmoid");
    names.push_back("tanh");
    if (recurrent.cell == Cell::kLstm) names.push_back("tanh");
  }
  return names;
}

void ReadActivations(const Node& node, Recurrent* recurrent, NodeProblems* problems) {
  std::vector<std::string> names = DefaultFunctions(*recurrent);
  const auto given = node.attributes.find("activations");
  if (given != node.attributes.end()) {
    const auto* strings = std::get_if<std::vector<std::string>>(&given->second);
    if (strings == nullptr || strings->size() != names.size()) {
      problems->Add("attribute 'activations' must name {} functions", names.size());
      return;
    }
    names = *strings;
  }
  // The lists hold one number for each function that takes one, in the functions' order, and may end early.
  const std::vector<float> alphas = node.Floats("activation_alpha");
  const std::vector<float> betas = node.Floats("activation_beta");
  size_t alpha = 0, beta = 0;
  for (const std::string& name : names) {
    const FunctionName* function = FindFunction(name);
    if (function == nullptr) {
      problems->Add("activation '{}' is not known", name);
      continue;
    }
    CellActivation activation{function->function};
    if (function->alpha) activation.alpha = alpha < alphas.size() ? alphas[alpha++] : *function->alpha;
    if (function->beta) activation.beta = beta < betas.size() ? betas[beta++] : *function->beta;
    recurrent->activations.push_back(activation);
  }
}

double Apply(const CellActivation& activation, double x) {
  const double alpha = activation.alpha;
  const double beta = activation.beta;
  switch (activation.function) {
    case CellFunction::kRelu:
      return x > 0 ? x : 0;
    case CellFunction::kTanh:
      return std::tanh(x);
    case CellFunction::kSigmoid:
      return 1 / (1 + std::exp(-x));
    case CellFunction::kAffine:
      return alpha * x + beta;
    case CellFunction::kLeakyRelu:
      return x >= 0 ? x : alpha * x;
    case CellFunction::kThresholdedRelu:
      return x >= alpha ? x : 0;
    case CellFunction::kScaledTanh:
      return alpha * std::tanh(beta * x);
    case CellFunction::kHardSigmoid:
      return std::clamp(alpha * x + beta, 0.0, 1.0);
    case CellFunction::kElu:
      return x >= 0 ? x : alpha * std::expm1(x);
    case CellFunction::kSoftsign:
      return x / (1 + std::abs(x));
    case CellFunction::kSoftplus:
      return x > 40 ? x : std::log1p(std::exp(x));
  }
  return x;
}

// A dimension that several operands have: the first constant among them, else the first known.
class SharedDim {
 public:
  explicit SharedDim(const char* what) : what_(what) {}
  void Add(const Shape* shape, size_t axis, NodeProblems* problems) {
    if (shape == nullptr || axis >= shape->size()) return;
    const Dim& dim = (*shape)[axis];
    if (dim_ && !MayEqual(*dim_, dim)) {
      problems->Add("the operands disagree on the {}: {} and {}", what_, dim_->ToString(), dim.ToString());
    }
    if (!dim_ || (!dim_->IsConstant() && dim.IsConstant())) dim_ = dim;
  }
  const std::optional<Dim>& dim() const { return dim_; }

 private:
  const char* what_;
  std::optional<Dim> dim_;
};

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  const Recurrent recurrent = ReadRecurrent(operands.node(), &problems);
  const bool lstm = recurrent.cell == Cell::kLstm;
  operands.CheckCount(3, lstm ? 8 : 6, &problems);
  for (size_t i : {0, 1, 2, 3, 5, 6, 7}) operands.CheckFloat(i, &problems);
  operands.CheckSameDType({0, 1, 2, 3, 5, 6, 7}, &problems);
  operands.CheckDType(4, {DType::kInt32, DType::kInt64}, &problems);
  for (size_t i : {0, 1, 2, 5, 6}) operands.CheckRank(i, 3, &problems);
  for (size_t i : {3, 7}) operands.CheckRank(i, 2, &problems);
  operands.CheckRank(4, 1, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());

  const Dim directions(recurrent.directions);
  const size_t batch_axis = recurrent.batch_first ? 0 : 1;
  SharedDim batch("batch size"), input("input size"), hidden("hidden size");
  batch.Add(operands.shape(0), batch_axis, &problems);
  batch.Add(operands.shape(4), 0, &problems);
  for (size_t i : {5, 6}) batch.Add(operands.shape(i), batch_axis, &problems);
  input.Add(operands.shape(0), 2, &problems);
  input.Add(operands.shape(1), 2, &problems);
  for (size_t i : {2, 5, 6}) hidden.Add(operands.shape(i), 2, &problems);
  if (operands.node().Has("hidden_size")) {
    const Shape declared = {Dim(operands.node().Int("hidden_size", 0))};
    hidden.Add(&declared, 0, &problems);
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (hidden.dim()) {
    const Dim h = *hidden.dim();
    const Dim rows = Dim(recurrent.Gates()) * h;
    if (operands.shape(1)) operands.CheckShape(1, {directions, rows, (*operands.shape(1))[2]}, &problems);
    operands.CheckShape(2, {directions, rows, h}, &problems);
    operands.CheckShape(3, {directions, Dim(2) * rows}, &problems);
    operands.CheckShape(7, {directions, Dim(3) * h}, &problems);
    for (size_t i : {5, 6}) {
      if (!operands.shape(i)) continue;
      const Dim b = (*operands.shape(i))[batch_axis];
      operands.CheckShape(i, recurrent.batch_first ? Shape{b, directions, h} : Shape{directions, b, h}, &problems);
    }
  }
  TAMIS_RETURN_IF_ERROR(problems.status());

  const DType dtype = operands.dtype(0);
  std::vector<Type> types(lstm ? 3 : 2, Unranked(dtype));
  if (operands.shape(0) == nullptr || !hidden.dim()) return types;
  const Dim steps = (*operands.shape(0))[1 - batch_axis];
  const Dim b = *batch.dim(), h = *hidden.dim();
  types[0] =
      Type::Tensor(dtype, recurrent.batch_first ? Shape{b, steps, directions, h} : Shape{steps, directions, b, h});
  for (size_t i = 1; i < types.size(); ++i) {
    types[i] = Type::Tensor(dtype, recurrent.batch_first ? Shape{b, directions, h} : Shape{directions, b, h});
  }
  return types;
}

// One sequence of the batch in one direction, in double.
struct Direction {
  const Recurrent& recurrent;
  int64_t index;
  int64_t input, hidden;
  const double* weight;      // [G*H, I]
  const double* recurrence;  // [G*H, H]
  const double* bias;        // [2*G*H] or null
  const double* peephole;    // [3*H] or null

  double Activated(size_t function, double x) const {
    const double clip = recurrent.clip;
    return Apply(recurrent.Activation(index, function), clip > 0 ? std::clamp(x, -clip, clip) : x);
  }
  double Bias(int64_t row, bool recurrent_part) const {
    return bias == nullptr ? 0 : bias[row + (recurrent_part ? recurrent.Gates() * hidden : 0)];
  }
  double Projected(int64_t row, const double* x) const {
    return Dot(weight + row * input, x, input) + Bias(row, false);
  }
  double Recurred(int64_t row, const double* h) const {
    return Dot(recurrence + row * hidden, h, hidden) + Bias(row, true);
  }

  void Step(const double* x, std::vector<double>& h, std::vector<double>& c) const {
    switch (recurrent.cell) {
      case Cell::kRnn:
        return StepRnn(x, h);
      case Cell::kGru:
        return StepGru(x, h);
      case Cell::kLstm:
        return StepLstm(x, h, c);
    }
  }

  void StepRnn(const double* x, std::vector<double>& h) const {
    const std::vector<double> before = h;
    for (int64_t j = 0; j < hidden; ++j) {
      h[static_cast<size_t>(j)] = Activated(0, Projected(j, x) + Recurred(j, before.data()));
    }
  }

  void StepGru(const double* x, std::vector<double>& h) const {
    const std::vector<double> before = h;
    const auto size = static_cast<size_t>(hidden);
    std::vector<double> update(size), reset(size), scaled(size);
    for (size_t j = 0; j < size; ++j) {
      const auto row = static_cast<int64_t>(j);
      update[j] = Activated(0, Projected(row, x) + Recurred(row, before.data()));
      reset[j] = Activated(0, Projected(hidden + row, x) + Recurred(hidden + row, before.data()));
      scaled[j] = reset[j] * before[j];
    }
    for (size_t j = 0; j < size; ++j) {
      const int64_t row = 2 * hidden + static_cast<int64_t>(j);
      const double recurred =
          recurrent.linear_before_reset ? reset[j] * Recurred(row, before.data()) : Recurred(row, scaled.data());
      const double candidate = Activated(1, Projected(row, x) + recurred);
      h[j] = (1 - update[j]) * candidate + update[j] * before[j];
    }
  }

  void StepLstm(const double* x, std::vector<double>& h, std::vector<double>& c) const {
    const std::vector<double> before = h;
    const auto gate = [&](int64_t g, int64_t j) {
      return Projected(g * hidden + j, x) + Recurred(g * hidden + j, before.data());
    };
    const auto seen = [&](int64_t p, int64_t j) { return peephole == nullptr ? 0 : peephole[p * hidden + j]; };
    for (int64_t j = 0; j < hidden; ++j) {
      double& cell = c[static_cast<size_t>(j)];
      const double in = Activated(0, gate(0, j) + seen(0, j) * cell);
      const double forget = recurrent.input_forget ? 1 - in : Activated(0, gate(2, j) + seen(2, j) * cell);
      cell = forget * cell + in * Activated(1, gate(3, j));
      const double out = Activated(0, gate(1, j) + seen(1, j) * cell);
      h[static_cast<size_t>(j)] = out * Activated(2, cell);
    }
  }
};

}  // namespace

Recurrent ReadRecurrent(const Node& node, NodeProblems* problems) {
  Recurrent recurrent;
  recurrent.cell = node.op == "LSTM" ? Cell::kLstm : node.op == "GRU" ? Cell::kGru : Cell::kRnn;
  const std::string direction = node.String("direction", "forward");
  if (direction == "bidirectional") {
    recurrent.directions = 2;
  } else if (direction == "reverse") {
    recurrent.reverse = true;
  } else if (direction != "forward") {
    problems->Add("attribute 'direction' is '{}' but must be forward, reverse or bidirectional", direction);
  }
  const int64_t layout = node.Int("layout", 0);
  if (layout != 0 && layout != 1) problems->Add("attribute 'layout' is {} but must be 0 or 1", layout);
  recurrent.batch_first = layout == 1;
  recurrent.linear_before_reset = node.Int("linear_before_reset", 0) != 0;
  recurrent.input_forget = node.Int("input_forget", 0) != 0;
  recurrent.clip = node.Float("clip", 0);
  if (!(recurrent.clip >= 0)) problems->Add("attribute 'clip' is {} but must not be negative", recurrent.clip);
  ReadActivations(node, &recurrent, problems);
  return recurrent;
}

Status InferRecurrent(InferContext& context) {
  return InferBy(context, Rule);
}

Status EvalRecurrent(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  NodeProblems problems;
  const Recurrent recurrent = ReadRecurrent(context.node, &problems);
  const auto read = [&](size_t i) {
    const Tensor* tensor = context.input(i);
    return tensor == nullptr || !tensor->Defined() ? std::vector<double>() : ReadDoubles(*tensor);
  };
  const Dims& dims = context.input(0)->dims();
  const int64_t batch = dims[recurrent.batch_first ? 0 : 1], steps = dims[recurrent.batch_first ? 1 : 0];
  const int64_t input = dims[2], hidden = context.input(2)->dim(2), rows = recurrent.Gates() * hidden;
  const auto x = read(0), weight = read(1), recurrence = read(2), bias = read(3), first_h = read(5), first_c = read(6),
             peephole = read(7);
  std::vector<int64_t> lengths(static_cast<size_t>(batch), steps);
  if (context.input(4) != nullptr && context.input(4)->Defined()) lengths = context.input(4)->ToInt64s();
  for (int64_t length : lengths) {
    if (length < 0 || length > steps) {
      return context.Error(fmt::format("a sequence length of {} is outside [0, {}]", length, steps));
    }
  }
  // Elements [step, direction, item] of Y and [direction, item] of the states, in either layout.
  const int64_t d_count = recurrent.directions;
  const auto state_at = [&](int64_t d, int64_t b) {
    return (recurrent.batch_first ? b * d_count + d : d * batch + b) * hidden;
  };
  const auto y_at = [&](int64_t t, int64_t d, int64_t b) {
    return (recurrent.batch_first ? (b * steps + t) * d_count + d : (t * d_count + d) * batch + b) * hidden;
  };
  std::vector<double> y(static_cast<size_t>(steps * d_count * batch * hidden));
  std::vector<double> last_h(static_cast<size_t>(d_count * batch * hidden)), last_c(last_h.size());
  const auto copy_state = [&](const std::vector<double>& from, int64_t at) {
    if (from.empty()) return std::vector<double>(static_cast<size_t>(hidden));
    return std::vector<double>(from.begin() + at, from.begin() + at + hidden);
  };
  for (int64_t d = 0; d < d_count; ++d) {
    const Direction direction{recurrent,
                              d,
                              input,
                              hidden,
                              weight.data() + d * rows * input,
                              recurrence.data() + d * rows * hidden,
                              bias.empty() ? nullptr : bias.data() + d * 2 * rows,
                              peephole.empty() ? nullptr : peephole.data() + d * 3 * hidden};
    for (int64_t b = 0; b < batch; ++b) {
      std::vector<double> h = copy_state(first_h, state_at(d, b));
      std::vector<double> c = copy_state(first_c, state_at(d, b));
      const int64_t length = lengths[static_cast<size_t>(b)];
      for (int64_t i = 0; i < length; ++i) {
        const int64_t t = recurrent.Reverse(d) ? length - 1 - i : i;
        direction.Step(x.data() + (recurrent.batch_first ? b * steps + t : t * batch + b) * input, h, c);
        std::copy(h.begin(), h.end(), y.begin() + y_at(t, d, b));
      }
      std::copy(h.begin(), h.end(), last_h.begin() + state_at(d, b));
      std::copy(c.begin(), c.end(), last_c.begin() + state_at(d, b));
    }
  }
  const std::vector<double>* results[] = {&y, &last_h, &last_c};
  for (size_t i = 0; i < context.outputs.size(); ++i) WriteDoubles(context.outputs[i], *results[i]);
  return {};
}

}  // namespace tamis
