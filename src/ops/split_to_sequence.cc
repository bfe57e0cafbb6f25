#include <algorithm>

#include "src/ops/op_bind.h"
#include "src/ops/op_pieces.h"
#include "src/ops/op_types.h"

namespace tamis {
namespace {

// Inputs: tensor, split? (a scalar: the length of every piece, the last may be shorter; a list: their lengths). Without
// a split pieces are single elements, which lose their axis unless keepdims.
bool DropsAxis(const Node& node, bool split) {
  return !split && node.Int("keepdims", 1) == 0;
}

Status Infer(InferContext& context) {
  TAMIS_RETURN_IF_ERROR(CheckInputs(context, 1, 2));
  if (context.HasInput(1)) TAMIS_RETURN_IF_ERROR(CheckDType(context, 1, kIntegers));
  Type element = *context.InputType(0);
  if (element.has_rank) {
    const auto rank = static_cast<int64_t>(element.shape.size());
    TAMIS_ASSIGN_OR_RETURN(const int64_t axis, ResolvedAxis(context, context.node().Int("axis", 0), rank));
    const auto at = element.shape.begin() + axis;
    if (DropsAxis(context.node(), context.HasInput(1))) {
      element.shape.erase(at);
    } else {
      *at = context.HasInput(1) ? context.DataDim(0, static_cast<size_t>(axis)) : Dim(1);
    }
  }
  context.SetOutput(0, SequenceOf(std::move(element)));
  return {};
}

Result<std::vector<int64_t>> ReadLengths(const DataContext& context, int64_t size) {
  if (context.input(1) == nullptr) return std::vector<int64_t>(static_cast<size_t>(size), 1);
  TAMIS_ASSIGN_OR_RETURN(const Tensor* split, TensorOperand(context, 1));
  if (!IsInteger(split->dtype()) || BitSize(split->dtype()) < 8) return context.Error("split must hold integers");
  std::vector<int64_t> lengths = split->ToInt64s();
  if (split->rank() == 0) {
    const int64_t each = lengths[0];
    if (each < 1) return context.Error(fmt::format("pieces of {} elements can't be cut", each));
    lengths.clear();
    for (int64_t begin = 0; begin < size; begin += each) lengths.push_back(std::min(each, size - begin));
  }
  int64_t left = size;
  for (int64_t length : lengths) {
    if (length < 0 || length > left) left = -1;
    if (left < 0) break;
    left -= length;
  }
  if (left != 0) {
    return context.Error(
        fmt::format("the lengths {} do not add up to the {} elements of the axis", ToString(lengths), size));
  }
  return lengths;
}

Status Eval(DataContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Tensor* tensor, TensorOperand(context, 0));
  TAMIS_RETURN_IF_ERROR(CheckWholeBytes(context, *tensor));
  const int64_t given = context.node.Int("axis", 0);
  const int64_t axis = given < 0 ? given + tensor->rank() : given;
  if (axis < 0 || axis >= tensor->rank()) {
    return context.Error(fmt::format("axis {} is outside of the shape {}", given, ToString(tensor->dims())));
  }
  const auto at = static_cast<size_t>(axis);
  TAMIS_ASSIGN_OR_RETURN(const auto lengths, ReadLengths(context, tensor->dims()[at]));
  const bool drops = DropsAxis(context.node, context.input(1) != nullptr);
  std::vector<Datum> elements;
  elements.reserve(lengths.size());
  int64_t begin = 0;
  for (int64_t length : lengths) {
    elements.emplace_back(drops ? TakeAlong(*tensor, at, begin) : CutAlong(*tensor, at, begin, begin + length));
    begin += length;
  }
  context.outputs[0] = Datum::Sequence(std::move(elements));
  return {};
}

}  // namespace

extern const OpDef op_split_to_sequence = {
    .name = "SplitToSequence", .domain = "", .since_opset = 11, .infer = Infer, .eval_data = Eval};

}  // namespace tamis
