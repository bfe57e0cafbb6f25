#include "src/ops/op_bind.h"
#include "src/ops/op_pieces.h"
#include "src/ops/op_types.h"

namespace tamis {
namespace {

Status Infer(InferContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Type element, SequenceElement(context, 0));
  const Node& node = context.node();
  if (!node.Has("axis")) return context.Error("the attribute axis is missing");
  if (!element.IsTensor())
    return context.Error(fmt::format("a sequence of {} is no list of tensors", element.ToString()));
  Type whole = OutsideType(context, 0, element);
  if (whole.has_rank) {
    const bool stacked = node.Int("new_axis", 0) != 0;
    const auto rank = static_cast<int64_t>(whole.shape.size()) + (stacked ? 1 : 0);
    TAMIS_ASSIGN_OR_RETURN(const int64_t axis, ResolvedAxis(context, node.Int("axis", 0), rank));
    const Dim length = context.DataDim(0, static_cast<size_t>(axis));
    if (stacked) {
      // The element's own axes move up by one behind the new one.
      whole.shape.insert(whole.shape.begin() + axis, length);
      for (size_t d = 0; d < whole.shape.size(); ++d) {
        if (!whole.shape[d].IsConstant()) whole.shape[d] = context.DataDim(0, d);
      }
    } else {
      whole.shape[static_cast<size_t>(axis)] = length;
    }
  }
  context.SetOutput(0, std::move(whole));
  return {};
}

Status Eval(DataContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const auto elements, SequenceElements(context, 0));
  if (elements.empty()) return context.Error("an empty sequence can't be put together");
  std::vector<const Tensor*> pieces;
  for (const Datum& element : elements) {
    if (!element.IsTensor()) return context.Error("an element of the sequence is no tensor");
    pieces.push_back(&element.tensor());
  }
  const bool stacked = context.node.Int("new_axis", 0) != 0;
  const int64_t rank = pieces[0]->rank() + (stacked ? 1 : 0);
  const int64_t given = context.node.Int("axis", 0);
  const int64_t axis = given < 0 ? given + rank : given;
  if (axis < 0 || axis >= rank) return context.Error(fmt::format("axis {} is outside [{}, {})", given, -rank, rank));
  const auto at = static_cast<size_t>(axis);
  TAMIS_ASSIGN_OR_RETURN(context.outputs[0],
                         stacked ? StackAlong(context, pieces, at) : ConcatAlong(context, pieces, at));
  return {};
}

}  // namespace

extern const OpDef op_concat_from_sequence = {
    .name = "ConcatFromSequence", .domain = "", .since_opset = 11, .infer = Infer, .eval_data = Eval};

}  // namespace tamis
