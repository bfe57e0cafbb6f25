#include <algorithm>

#include "src/ops/op_bind.h"
#include "src/ops/op_iterate.h"
#include "src/ops/op_pieces.h"

namespace tamis {
namespace {

// From opset 9 on, inputs are the initial states and the tensors that are read element by element along an axis; the
// body takes states and elements and gives states and what is collected. In opset 8 lengths come first, all else has a
// batch axis in front, the axis of elements is the second, and each batch is scanned by itself.
struct Form {
  bool batched = false;
  size_t first = 0;  // input of the first state
  size_t states = 0;
  size_t scanned = 0;

  size_t InputOf(size_t scanned_input) const { return first + states + scanned_input; }
};

// `Context` is the inference's or the evaluation's.
template <class Context>
Result<Form> ReadForm(const Context& context, const Node& node, int64_t opset, size_t inputs) {
  Form form;
  form.batched = opset < 9;
  form.first = form.batched ? 1 : 0;
  const int64_t scanned = node.Int("num_scan_inputs", 0);
  if (node.regions.size() != 1) return context.Error("needs the graph body");
  if (scanned < 1 || static_cast<size_t>(scanned) + form.first > inputs) {
    return context.Error(fmt::format("num_scan_inputs is {}, must be at least 1 and at most the number of inputs, {}",
                                     scanned, inputs - std::min(form.first, inputs)));
  }
  form.scanned = static_cast<size_t>(scanned);
  form.states = inputs - form.first - form.scanned;
  return form;
}

// Element i of an attribute with one entry for each of `count` inputs or outputs; 0 where it is not given.
template <class Context>
Result<std::vector<int64_t>> ReadList(const Context& context, const Node& node, const std::string& key, size_t count) {
  std::vector<int64_t> list = node.Ints(key);
  if (list.empty()) list.resize(count, 0);
  if (list.size() != count) {
    return context.Error(fmt::format("{} has {} entries, {} are needed", key, list.size(), count));
  }
  return list;
}

Type WithoutAxis(const Type& type, size_t axis) {
  Type result = type;
  if (result.has_rank) result.shape.erase(result.shape.begin() + static_cast<std::ptrdiff_t>(axis));
  return result;
}

Status Infer(InferContext& context) {
  const Node& node = context.node();
  TAMIS_ASSIGN_OR_RETURN(const Form form, ReadForm(context, node, context.opset(), node.inputs.size()));
  TAMIS_ASSIGN_OR_RETURN(const auto in_axes, ReadList(context, node, "scan_input_axes", form.scanned));
  std::vector<Type> types;
  std::optional<Dim> batch, length;
  for (size_t i = form.first; i < node.inputs.size(); ++i) {
    if (!context.HasInput(i)) return context.Error(fmt::format("input {} is missing", i));
    const Type& type = *context.InputType(i);
    const bool state = i < form.first + form.states;
    if (!type.IsTensor() && (!state || form.batched)) {
      return context.Error(fmt::format("input {} is {}, must be a tensor", i, type.ToString()));
    }
    Type inner = type;
    if (type.IsTensor() && type.has_rank) {
      const auto rank = static_cast<int64_t>(type.shape.size());
      if (form.batched) {
        if (rank < (state ? 1 : 2)) {
          return context.Error(
              fmt::format("input {} is {}: its batch or sequence axis is missing", i, type.ToString()));
        }
        batch = batch && batch->IsConstant() ? batch : type.shape[0];
        inner = WithoutAxis(inner, 0);
      }
      if (!state) {
        size_t axis = 0;
        if (!form.batched) {
          TAMIS_ASSIGN_OR_RETURN(const int64_t at, ResolvedAxis(context, in_axes[i - form.first - form.states], rank));
          axis = static_cast<size_t>(at);
        }
        const Dim& size = inner.shape[axis];
        if (length && length->IsConstant() && size.IsConstant() && !(*length == size)) {
          return context.Error(fmt::format("the scanned inputs have {} and {} elements along their axes",
                                           length->ToString(), size.ToString()));
        }
        length = length && length->IsConstant() ? length : size;
        inner = WithoutAxis(inner, axis);
      }
    }
    types.push_back(std::move(inner));
  }
  TAMIS_ASSIGN_OR_RETURN(const auto given, InferIterations(context, &types, 0, 0, form.states));
  if (given.size() < node.outputs.size()) {
    return context.Error(fmt::format("has {} outputs, the body gives {} values", node.outputs.size(), given.size()));
  }
  TAMIS_ASSIGN_OR_RETURN(const auto out_axes, ReadList(context, node, "scan_output_axes", given.size() - form.states));
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    Type type = i < form.states ? types[i] : given[i];
    if (i >= form.states) {
      const Dim count = length ? *length : context.DataDim(i, form.batched ? 1 : 0);
      const int64_t axis = form.batched ? 0 : out_axes[i - form.states];
      TAMIS_ASSIGN_OR_RETURN(type, CollectedType(context, i, type, axis, count));
    }
    if (form.batched && type.has_rank) type.shape.insert(type.shape.begin(), batch ? *batch : context.DataDim(i, 0));
    context.SetOutput(i, std::move(type));
  }
  return {};
}

// One scan over `length` elements of the scanned operands. `operands` holds the states and is where they end.
Status ScanOnce(DataContext& context, const Form& form, const std::vector<Tensor>& scanned,
                const std::vector<size_t>& axes, const std::vector<int64_t>& reversed, int64_t length,
                std::vector<Datum>* operands, std::vector<TensorStack>* stacks) {
  for (int64_t i = 0; i < length; ++i) {
    for (size_t m = 0; m < form.scanned; ++m) {
      const int64_t element = reversed[m] != 0 ? scanned[m].dims()[axes[m]] - 1 - i : i;
      (*operands)[form.states + m] = TakeAlong(scanned[m], axes[m], element);
    }
    TAMIS_ASSIGN_OR_RETURN(std::vector<Datum> results, context.regions->Run(0, *operands));
    if (results.size() != form.states + stacks->size()) return context.Error("the body gives too few values");
    for (size_t k = 0; k < form.states; ++k) (*operands)[k] = std::move(results[k]);
    for (size_t s = 0; s < stacks->size(); ++s) {
      TAMIS_RETURN_IF_ERROR((*stacks)[s].Append(context, results[form.states + s]));
    }
  }
  return {};
}

std::vector<TensorStack> MakeStacks(const Graph& body, size_t states) {
  std::vector<TensorStack> stacks;
  for (size_t i = states; i < body.outputs.size(); ++i) stacks.emplace_back(body.value(body.outputs[i]).name);
  return stacks;
}

Status EvalWhole(DataContext& context, const Form& form) {
  const Graph& body = *context.node.regions[0].body;
  std::vector<TensorStack> stacks = MakeStacks(body, form.states);
  TAMIS_ASSIGN_OR_RETURN(const auto in_axes, ReadList(context, context.node, "scan_input_axes", form.scanned));
  TAMIS_ASSIGN_OR_RETURN(const auto in_reversed,
                         ReadList(context, context.node, "scan_input_directions", form.scanned));
  TAMIS_ASSIGN_OR_RETURN(const auto out_axes, ReadList(context, context.node, "scan_output_axes", stacks.size()));
  TAMIS_ASSIGN_OR_RETURN(const auto out_reversed,
                         ReadList(context, context.node, "scan_output_directions", stacks.size()));
  std::vector<Datum> operands(form.states + form.scanned);
  for (size_t k = 0; k < form.states; ++k) {
    if (context.input(k) == nullptr) return context.Error(fmt::format("input {} is missing", k));
    operands[k] = *context.input(k);
  }
  std::vector<Tensor> scanned;
  std::vector<size_t> axes;
  std::optional<int64_t> length;
  for (size_t m = 0; m < form.scanned; ++m) {
    TAMIS_ASSIGN_OR_RETURN(const Tensor* tensor, TensorOperand(context, form.InputOf(m)));
    const int64_t axis = in_axes[m] < 0 ? in_axes[m] + tensor->rank() : in_axes[m];
    if (axis < 0 || axis >= tensor->rank()) {
      return context.Error(fmt::format("axis {} of input {} is outside of its shape {}", in_axes[m], form.InputOf(m),
                                       ToString(tensor->dims())));
    }
    TAMIS_RETURN_IF_ERROR(CheckWholeBytes(context, *tensor));
    const int64_t size = tensor->dims()[static_cast<size_t>(axis)];
    if (length && *length != size) {
      return context.Error(fmt::format("the scanned inputs have {} and {} elements along their axes", *length, size));
    }
    length = size;
    scanned.push_back(*tensor);
    axes.push_back(static_cast<size_t>(axis));
  }
  TAMIS_RETURN_IF_ERROR(ScanOnce(context, form, scanned, axes, in_reversed, *length, &operands, &stacks));
  for (size_t i = 0; i < context.outputs.size(); ++i) {
    if (i < form.states) {
      context.outputs[i] = std::move(operands[i]);
      continue;
    }
    const size_t s = i - form.states;
    const Type& piece = body.value(body.outputs[i]).type;
    TAMIS_ASSIGN_OR_RETURN(context.outputs[i], stacks[s].Finish(context, out_axes[s], out_reversed[s] != 0, piece));
  }
  return {};
}

// The tensor with zeros behind its first axis up to `length`.
Tensor Padded(const Tensor& tensor, int64_t length) {
  if (tensor.dims()[0] == length) return tensor;
  Dims dims = tensor.dims();
  dims[0] = length;
  Tensor padded(tensor.dtype(), dims);
  Tensor part = Tensor::View(tensor.dtype(), tensor.dims(), padded.raw(), nullptr);
  CopyElements(tensor, 0, RowMajorStrides(tensor.dims()), &part);
  return padded;
}

Status EvalBatched(DataContext& context, const Form& form) {
  const Graph& body = *context.node.regions[0].body;
  TAMIS_ASSIGN_OR_RETURN(const auto reversed, ReadList(context, context.node, "directions", form.scanned));
  std::vector<const Tensor*> operands;
  for (size_t i = form.first; i < context.inputs.size(); ++i) {
    TAMIS_ASSIGN_OR_RETURN(const Tensor* tensor, TensorOperand(context, i));
    TAMIS_RETURN_IF_ERROR(CheckWholeBytes(context, *tensor));
    const bool state = i < form.first + form.states;
    if (tensor->rank() < (state ? 1 : 2) || tensor->dim(0) != (operands.empty() ? tensor : operands[0])->dim(0)) {
      return context.Error(fmt::format("input {} of shape {} lacks the batch or sequence axis of the others", i,
                                       ToString(tensor->dims())));
    }
    operands.push_back(tensor);
  }
  const int64_t batch = operands[0]->dim(0);
  const int64_t length = operands[form.states]->dim(1);
  std::vector<int64_t> lengths(static_cast<size_t>(batch), length);
  if (context.input(0) != nullptr) {
    TAMIS_ASSIGN_OR_RETURN(const Tensor* given, TensorOperand(context, 0));
    if (!IsInteger(given->dtype()) || given->NumElements() != batch) {
      return context.Error(fmt::format("sequence_lens must hold an integer for each of {} batches", batch));
    }
    lengths = given->ToInt64s();
  }
  std::vector<std::vector<Tensor>> pieces(context.outputs.size());
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t own = lengths[static_cast<size_t>(b)];
    if (own < 0 || own > length) {
      return context.Error(fmt::format("length {} of batch {} is outside [0, {}]", own, b, length));
    }
    std::vector<Datum> state(form.states + form.scanned);
    for (size_t k = 0; k < form.states; ++k) state[k] = TakeAlong(*operands[k], 0, b);
    std::vector<Tensor> scanned;
    for (size_t m = 0; m < form.scanned; ++m) {
      // Read backwards, a shorter sequence starts at its own end.
      scanned.push_back(CutAlong(TakeAlong(*operands[form.states + m], 0, b), 0, 0, own));
    }
    std::vector<TensorStack> stacks = MakeStacks(body, form.states);
    const std::vector<size_t> axes(form.scanned, 0);
    TAMIS_RETURN_IF_ERROR(ScanOnce(context, form, scanned, axes, reversed, own, &state, &stacks));
    for (size_t i = 0; i < pieces.size(); ++i) {
      if (i < form.states) {
        if (!state[i].IsTensor()) return context.Error(fmt::format("state {} must be a tensor", i));
        pieces[i].push_back(state[i].tensor());
        continue;
      }
      const Type& piece = body.value(body.outputs[i]).type;
      TAMIS_ASSIGN_OR_RETURN(const Tensor whole, stacks[i - form.states].Finish(context, 0, false, piece));
      pieces[i].push_back(Padded(whole, length));
    }
  }
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].empty()) return context.Error("a batch of no elements can't be scanned");
    std::vector<const Tensor*> pointers;
    for (const Tensor& piece : pieces[i]) pointers.push_back(&piece);
    TAMIS_ASSIGN_OR_RETURN(context.outputs[i], StackAlong(context, pointers, 0));
  }
  return {};
}

Status Eval(DataContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Form form, ReadForm(context, context.node, context.opset, context.inputs.size()));
  return form.batched ? EvalBatched(context, form) : EvalWhole(context, form);
}

}  // namespace

extern const OpDef op_scan = {.name = "Scan", .domain = "", .since_opset = 8, .infer = Infer, .eval_data = Eval};

}  // namespace tamis
