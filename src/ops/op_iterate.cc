#include "src/ops/op_iterate.h"

#include "src/ops/op_bind.h"

namespace tamis {
namespace {

// Only what can't change from iteration to iteration.
Type Widest(const Type& type) {
  if (!type.IsTensor()) return type.element ? MakeElementType(type.kind, Widest(*type.element)) : type;
  Type wide;
  wide.dtype = type.dtype;
  return wide;
}

}  // namespace

std::vector<std::string> OutsideSymbols(const InferContext& context) {
  std::vector<std::string> symbols;
  // A tensor's symbol means one size; those of a sequence's element may mean another in each element.
  const auto collect = [&](const Type& type, const std::optional<std::vector<Dim>>& contents) {
    for (const Dim& dim : type.shape) dim.CollectSymbols(&symbols);
    if (!contents) return;
    for (const Dim& dim : *contents) dim.CollectSymbols(&symbols);
  };
  for (size_t i = 0; i < context.NumInputs(); ++i) {
    if (context.HasInput(i)) collect(*context.InputType(i), context.InputContents(i));
  }
  for (const Region& region : context.node().regions) {
    const auto& inputs = region.body->inputs;
    for (size_t i = inputs.size() - region.captures.size(); i < inputs.size(); ++i) {
      const Value& value = region.body->value(inputs[i]);
      collect(value.type, value.contents);
    }
  }
  return symbols;
}

Result<std::vector<Type>> InferIterations(InferContext& context, std::vector<Type>* types, size_t first_in,
                                          size_t first_out, size_t carried) {
  constexpr int kRounds = 3;
  for (int round = 1;; ++round) {
    TAMIS_ASSIGN_OR_RETURN(std::vector<Type> given, context.InferRegion(0, *types));
    if (given.size() < first_out + carried) {
      return context.Error(
          fmt::format("the body gives {} values, fewer than its {} carried variables need", given.size(), carried));
    }
    const std::vector<std::string> outside = OutsideSymbols(context);
    bool stable = true;
    for (size_t k = 0; k < carried; ++k) {
      Type& type = (*types)[first_in + k];
      const auto joined = JoinTypes(context, k, type, given[first_out + k]);
      if (!joined) {
        return context.Error(fmt::format("carried variable {} is {} at first and {} after an iteration", k,
                                         type.ToString(), given[first_out + k].ToString()));
      }
      Type wide = OutsideType(context, k, *joined, outside);
      // The first iteration's own symbols are its operand's: they don't change by being seen from outside.
      if (wide.ToString() == type.ToString() || joined->ToString() == type.ToString()) continue;
      stable = false;
      type = round < kRounds ? std::move(wide) : Widest(wide);
    }
    if (stable) return given;
    if (round > kRounds) return context.Error("the types of its carried variables change without end");
  }
}

Result<Type> CollectedType(const InferContext& context, size_t output, const Type& piece, int64_t axis,
                           const Dim& count) {
  if (!piece.IsTensor()) {
    return context.Error(
        fmt::format("output {} would collect {}; only tensors can be collected", output, piece.ToString()));
  }
  Type whole = piece;
  if (!whole.has_rank) return whole;
  const auto rank = static_cast<int64_t>(whole.shape.size()) + 1;
  TAMIS_ASSIGN_OR_RETURN(const int64_t at, ResolvedAxis(context, axis, rank));
  whole.shape.insert(whole.shape.begin() + at, count);
  return OutsideType(context, output, whole, [&] {
    std::vector<std::string> keep = OutsideSymbols(context);
    count.CollectSymbols(&keep);
    return keep;
  }());
}

}  // namespace tamis
