#include <algorithm>

#include "src/ops/op_bind.h"
#include "src/ops/op_iterate.h"

namespace tamis {
namespace {

// The place of a region among the node's; exporters write the branches in either order.
std::optional<size_t> FindRegion(const Node& node, std::string_view name) {
  for (size_t i = 0; i < node.regions.size(); ++i) {
    if (node.regions[i].name == name) return i;
  }
  return std::nullopt;
}

// nullopt where it is computed at run time.
std::optional<bool> KnownCondition(const InferContext& context) {
  const Tensor* constant = context.InputConstant(0);
  if (constant != nullptr && constant->dtype() == DType::kBool && constant->NumElements() == 1) {
    return constant->ToInt64s()[0] != 0;
  }
  const auto contents = context.InputContents(0);
  if (!contents || contents->size() != 1) return std::nullopt;
  const auto value = (*contents)[0].Constant();
  return value ? std::optional<bool>(*value != 0) : std::nullopt;
}

// Whether everything that the branches read has its final shape. To be asked after their types were inferred.
bool CapturesConcrete(const Node& node) {
  const auto concrete = [](const Graph& body) {
    return std::all_of(body.inputs.begin(), body.inputs.end(), [&](ValueId id) {
      const Type& type = body.value(id).type;
      return !type.IsTensor() || (type.has_rank && ConstantDims(type.shape));
    });
  };
  return std::all_of(node.regions.begin(), node.regions.end(),
                     [&](const Region& region) { return concrete(*region.body); });
}

// Input: the condition. What the branches read they capture. Outputs are what either branch gives. A branch that shapes
// contradict need not be possible where the condition is known to choose the other one, nor where all shapes are known:
// networks branch on a size or a rate that an input names, and only one branch fits the inputs that come with it. If
// the condition chooses the impossible one all the same, running it says what is wrong.
Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 1));
  TAMIS_RETURN_IF_ERROR(CheckDType(context, 0, kBools));
  const Node& node = context.node();
  const auto then_branch = FindRegion(node, "then_branch");
  const auto else_branch = FindRegion(node, "else_branch");
  if (!then_branch || !else_branch) return context.Error("needs the graphs then_branch and else_branch");
  const auto inferred_true = context.InferRegion(*then_branch, {});
  const auto inferred_false = context.InferRegion(*else_branch, {});
  const std::optional<bool> taken = KnownCondition(context);
  const bool either = !taken && CapturesConcrete(node) && (inferred_true.ok() || inferred_false.ok());
  if (!inferred_true.ok() && taken.value_or(!either)) return inferred_true.status();
  if (!inferred_false.ok() && !taken.value_or(either)) return inferred_false.status();
  const std::vector<Type>& if_true = inferred_true.ok() ? *inferred_true : *inferred_false;
  const std::vector<Type>& if_false = inferred_false.ok() ? *inferred_false : *inferred_true;
  if (if_true.size() != if_false.size() || if_true.size() < node.outputs.size()) {
    return context.Error(fmt::format("has {} outputs, then_branch gives {} and else_branch {}", node.outputs.size(),
                                     if_true.size(), if_false.size()));
  }
  const std::vector<std::string> outside = OutsideSymbols(context);
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    auto joined =
        taken ? std::optional<Type>(*taken ? if_true[i] : if_false[i]) : JoinTypes(context, i, if_true[i], if_false[i]);
    if (!joined) {
      return context.Error(fmt::format("output {} is {} from then_branch and {} from else_branch", i,
                                       if_true[i].ToString(), if_false[i].ToString()));
    }
    context.SetOutput(i, OutsideType(context, i, *joined, outside));
  }
  return {};
}

Status Eval(DataContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const int64_t condition, ScalarOperand(context, 0));
  const auto region = FindRegion(context.node, condition != 0 ? "then_branch" : "else_branch");
  if (!region) return context.Error("needs the graphs then_branch and else_branch");
  TAMIS_ASSIGN_OR_RETURN(auto results, context.regions->Run(*region, {}));
  if (results.size() < context.outputs.size()) return context.Error("a branch gives too few outputs");
  std::move(results.begin(), results.begin() + static_cast<std::ptrdiff_t>(context.outputs.size()),
            context.outputs.begin());
  return {};
}

}  // namespace

extern const OpDef op_if = {.name = "If", .domain = "", .since_opset = 1, .infer = Infer, .eval_data = Eval};

}  // namespace tamis
