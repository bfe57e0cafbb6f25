// Einsum: the sum of products that an equation in Einstein's notation describes, over any number of operands. A label
// that occurs twice in one operand reads its diagonal; a dimension of 1 broadcasts. Sums of integers wrap.
#include <algorithm>
#include <map>

#include "src/ops/op_case.h"
#include "src/ops/op_cast.h"
#include "src/ops/op_einsum.h"
#include "src/ops/op_numeric.h"

namespace tamis {
namespace {

Result<std::vector<Type>> Rule(const Operands& operands) {
  NodeProblems problems;
  const size_t count = operands.node().inputs.size();
  if (count == 0) problems.Add("has no input");
  if (!operands.node().Has("equation")) problems.Add("attribute 'equation' is missing");
  operands.CheckCount(count, count, &problems);
  std::vector<size_t> ranks;
  bool known = true;
  for (size_t i = 0; i < count; ++i) {
    if (!IsInteger(operands.dtype(i)) || BitSize(operands.dtype(i)) < 8) operands.CheckFloat(i, &problems);
    if (i > 0) operands.CheckSameDType({0, i}, &problems);
    known = known && operands.shape(i) != nullptr;
    ranks.push_back(operands.shape(i) != nullptr ? operands.shape(i)->size() : 0);
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  if (!known) return std::vector<Type>{Unranked(operands.dtype(0))};
  const EinsumEquation equation = ParseEinsum(operands.node().String("equation", ""), ranks, &problems);
  TAMIS_RETURN_IF_ERROR(problems.status());
  std::map<int, Dim> sizes;
  for (size_t i = 0; i < count; ++i) {
    for (size_t axis = 0; axis < ranks[i]; ++axis) {
      const Dim& own = (*operands.shape(i))[axis];
      Dim& joined = sizes.try_emplace(equation.inputs[i][axis], own).first->second;
      const auto join = JoinDims(joined, own);
      if (!join) {
        problems.Add("axis {} of input {} has size {} where another operand has {}", axis, i, own.ToString(),
                     joined.ToString());
      } else {
        joined = *join;
      }
    }
  }
  TAMIS_RETURN_IF_ERROR(problems.status());
  Shape y;
  for (int label : equation.output) y.push_back(sizes.at(label));
  return std::vector<Type>{Type::Tensor(operands.dtype(0), std::move(y))};
}

// One loop of the nest: its length and how far each operand moves in one step.
struct Loop {
  int64_t size = 1;
  std::vector<int64_t> steps;
};

// The loops of the result's axes, in order, followed by those that are summed over.
std::vector<Loop> LoopsOf(const EinsumEquation& equation, std::span<const Tensor* const> inputs) {
  std::vector<int> order = equation.output;
  for (const auto& labels : equation.inputs) {
    for (int label : labels) {
      if (std::find(order.begin(), order.end(), label) == order.end()) order.push_back(label);
    }
  }
  std::vector<Loop> loops(order.size());
  for (Loop& loop : loops) loop.steps.assign(inputs.size(), 0);
  for (size_t i = 0; i < inputs.size(); ++i) {
    int64_t step = 1;
    for (size_t axis = equation.inputs[i].size(); axis-- > 0;) {
      const int64_t size = inputs[i]->dims()[axis];
      Loop& loop =
          loops[static_cast<size_t>(std::find(order.begin(), order.end(), equation.inputs[i][axis]) - order.begin())];
      if (size != 1) {
        loop.size = size;
        loop.steps[i] += step;
      }
      step *= size;
    }
  }
  return loops;
}

// Adds up the products that the loops run over, from the elements `at` on; leaves `at` as it was.
template <class T, class Acc>
Acc SumProducts(std::span<const Tensor* const> inputs, std::span<const Loop> loops, std::vector<int64_t>& at) {
  if (loops.empty()) {
    Acc product = 1;
    for (size_t operand = 0; operand < at.size(); ++operand) {
      product *= static_cast<Acc>(inputs[operand]->Data<T>()[at[operand]]);
    }
    return product;
  }
  const Loop& loop = loops.front();
  Acc sum = 0;
  for (int64_t i = 0; i < loop.size; ++i) {
    sum += SumProducts<T, Acc>(inputs, loops.subspan(1), at);
    for (size_t operand = 0; operand < at.size(); ++operand) at[operand] += loop.steps[operand];
  }
  for (size_t operand = 0; operand < at.size(); ++operand) at[operand] -= loop.steps[operand] * loop.size;
  return sum;
}

template <class T, class Acc>
void Compute(std::span<const Tensor* const> inputs, const EinsumEquation& equation, Tensor& y) {
  const std::vector<Loop> loops = LoopsOf(equation, inputs);
  const size_t kept = equation.output.size();
  for (int64_t element = 0; element < y.NumElements(); ++element) {
    std::vector<int64_t> at(inputs.size(), 0);
    int64_t rest = element;
    for (size_t axis = kept; axis-- > 0;) {
      const int64_t position = rest % loops[axis].size;
      rest /= loops[axis].size;
      for (size_t operand = 0; operand < at.size(); ++operand) at[operand] += position * loops[axis].steps[operand];
    }
    y.Data<T>()[element] = static_cast<T>(SumProducts<T, Acc>(inputs, std::span<const Loop>(loops).subspan(kept), at));
  }
}

Status Infer(InferContext& context) {
  return InferBy(context, Rule);
}

Status Eval(EvalContext& context) {
  TAMIS_RETURN_IF_ERROR(AllocateBy(context, Rule));
  std::vector<size_t> ranks;
  for (const Tensor* input : context.inputs) {
    if (input->NumElements() == 0) return {};  // every sum is empty, and the result is zeroed
    ranks.push_back(input->dims().size());
  }
  NodeProblems problems;
  const EinsumEquation equation = ParseEinsum(context.node.String("equation", ""), ranks, &problems);
  Tensor& y = context.outputs[0];
  if (!IsInteger(y.dtype())) {
    DispatchFloat(y.dtype(), [&](auto zero) { Compute<decltype(zero), double>(context.inputs, equation, y); });
    return {};
  }
  std::vector<Tensor> wide;  // in 64 bits, and the low ones of those
  std::vector<const Tensor*> operands;
  for (const Tensor* input : context.inputs) wide.push_back(CastTensor(*input, DType::kInt64));
  for (const Tensor& tensor : wide) operands.push_back(&tensor);
  Tensor sums(DType::kInt64, y.dims());
  Compute<int64_t, uint64_t>(operands, equation, sums);
  y = CastTensor(sums, y.dtype());
  return {};
}

std::vector<OpTestCase> TestCases() {
  CaseMaker make(0xe12);
  const auto equation = [](const char* text) {
    return std::map<std::string, Attribute>{{"equation", std::string(text)}};
  };
  std::vector<OpTestCase> cases;
  cases.push_back({{make.Floats({3, 5}), make.Floats({5, 4})}, equation("ij,jk->ik")});
  cases.push_back({{make.Floats({3, 5}), make.Floats({5, 4})}, equation("ij,jk")});
  cases.push_back({{make.Floats({2, 3, 5, 4}), make.Floats({2, 3, 7, 4})}, equation("bhsd,bhtd->bhst")});
  cases.push_back({{make.Floats({4, 4})}, equation("ii->i")});
  cases.push_back({{make.Floats({4, 4})}, equation("ii")});
  cases.push_back({{make.Floats({3, 4})}, equation("ij -> ji")});
  cases.push_back({{make.Floats({2, 1, 3, 4}), make.Floats({5, 4, 3})}, equation("...ij,...jk->...ik")});
  cases.push_back({{make.Floats({2, 3}), make.Floats({3, 4}), make.Floats({4, 2})}, equation("ab,bc,ca->")});
  cases.push_back({{make.Integers({3, 4}, -9, 9), make.Integers({4, 2}, -9, 9)}, equation("ij,jk->ki")});
  return cases;
}

}  // namespace

extern const OpDef op_einsum = {
    .name = "Einsum", .domain = "", .since_opset = 1, .infer = Infer, .eval = Eval, .test_cases = TestCases};

}  // namespace tamis
