// What every operator with test cases must keep: the shape rule says what the reference gives, with constant and with
// symbolic dimensions.
#include "src/ops/op_testing.h"

namespace tamis {
namespace {

using op_testing::Evaluate;
using op_testing::Infer;
using op_testing::OneNode;

constexpr int64_t kOpset = 21;

template <class F>
void ForEachCase(F&& f) {
  for (const OpDef* op : AllOps()) {
    if (op->test_cases == nullptr) continue;
    size_t number = 0;
    for (const OpTestCase& c : op->test_cases()) {
      SCOPED_TRACE(std::string(op->name) + ", case " + std::to_string(number++));
      const int64_t opset = op->domain.empty() ? std::max(kOpset, op->since_opset) : 1;
      f(OneNode{std::string(op->name), std::string(op->domain), c.attributes, opset, 1}, c);
    }
  }
}

TEST(OpCaseTest, RuleGivesTheTypeOfTheReference) {
  int cases = 0;
  ForEachCase([&](const OneNode& node, const OpTestCase& c) {
    ++cases;
    const auto outputs = Evaluate(node, c.inputs);
    ASSERT_TRUE(outputs.ok()) << outputs.status().message();
    std::vector<Type> types;
    for (const Tensor& input : c.inputs) {
      types.push_back(input.Defined() ? Type::Tensor(input.dtype(), ToShape(input.dims())) : Type());
    }
    const auto inferred = Infer(node, types);
    ASSERT_TRUE(inferred.ok()) << inferred.status().message();
    const Tensor& first = (*outputs)[0];
    if (!(*inferred)[0].has_rank) return;  // the shape depends on values
    ASSERT_EQ((*inferred)[0].shape.size(), first.dims().size());
    for (size_t i = 0; i < first.dims().size(); ++i) {
      const auto constant = (*inferred)[0].shape[i].Constant();
      EXPECT_EQ(constant.value_or(first.dims()[i]), first.dims()[i]);
    }
    EXPECT_EQ((*inferred)[0].dtype, first.dtype());
  });
  EXPECT_GT(cases, 50);
}

// A dimension of input 0 that is large enough not to broadcast becomes a symbol; bound to its value, the result must be
// the constant one.
TEST(OpCaseTest, SymbolicRuleEvaluatesToTheConstantOne) {
  int checked = 0;
  ForEachCase([&](const OneNode& node, const OpTestCase& c) {
    if (c.inputs.empty() || !c.inputs[0].Defined() || !IsFloat(c.inputs[0].dtype())) return;
    std::vector<Type> types;
    for (const Tensor& input : c.inputs) {
      types.push_back(input.Defined() ? Type::Tensor(input.dtype(), ToShape(input.dims())) : Type());
    }
    const auto constant = Infer(node, types);
    ASSERT_TRUE(constant.ok()) << constant.status().message();
    for (size_t axis = 0; axis < types[0].shape.size(); ++axis) {
      const int64_t size = c.inputs[0].dims()[axis];
      if (size < 2) continue;
      std::vector<Type> symbolic = types;
      symbolic[0].shape[axis] = Dim::Symbol("n");
      const auto inferred = Infer(node, symbolic);
      if (!inferred.ok() || !(*inferred)[0].has_rank || !(*constant)[0].has_rank) continue;
      ASSERT_EQ((*inferred)[0].shape.size(), (*constant)[0].shape.size());
      for (size_t i = 0; i < (*inferred)[0].shape.size(); ++i) {
        const auto wanted = (*constant)[0].shape[i].Constant();
        const auto bound = (*inferred)[0].shape[i].Evaluate({{"n", size}});
        if (!wanted || !bound) continue;
        EXPECT_EQ(*bound, *wanted) << "axis " << axis << ": " << (*inferred)[0].ToString();
        ++checked;
      }
    }
  });
  EXPECT_GT(checked, 100);
}

}  // namespace
}  // namespace tamis
