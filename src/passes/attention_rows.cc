#include "src/passes/attention_rows.h"

#include <algorithm>
#include <cstring>

#include "src/passes/match.h"

namespace tamis {
namespace {

std::vector<int> Ids(const Axis& axis) {
  return FlatIds({axis});
}

std::vector<int> Concatenated(std::vector<int> a, const std::vector<int>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

bool EndsWith(const Axis& axis, const Axis& tail) {
  const std::vector<int> a = Ids(axis), b = Ids(tail);
  return b.size() <= a.size() && std::equal(b.rbegin(), b.rend(), a.rbegin());
}

Axis WithoutTail(const Axis& axis, size_t count) {
  return {axis.begin(), axis.end() - static_cast<int64_t>(count)};
}

// Leading axes of the source, without the last one.
std::vector<int> LeadingIds(const View& view) {
  return FlatIds({view.source_axes.begin(), view.source_axes.end() - 1});
}

bool IsSwapped(const AttentionRows& rows) {
  return rows.view.source_axes.size() == 3 && Ids(rows.view.source_axes[0]) == rows.tokens &&
         Ids(rows.view.source_axes[1]) == rows.batch && LeadingIds(rows.view) != Concatenated(rows.batch, rows.tokens);
}

// Rows [begin, end) of the first axis.
Tensor Rows(const Tensor& tensor, int64_t begin, int64_t end) {
  Dims dims = tensor.dims();
  dims[0] = end - begin;
  Tensor part(tensor.dtype(), dims);
  const size_t row = tensor.NumBytes() / static_cast<size_t>(tensor.dim(0));
  std::memcpy(part.raw(), tensor.raw() + row * static_cast<size_t>(begin), part.NumBytes());
  return part;
}

ValueId SliceAxis(Rewriter& rewriter, ValueId source, int64_t axis, int64_t part, int64_t parts) {
  Type type = rewriter.graph().value(source).type;
  Dim& size = type.shape[static_cast<size_t>(axis)];
  const int64_t count = *size.Constant() / parts;
  const auto ints = [&](int64_t value) {
    return rewriter.AddConstant("slice_bound", Tensor::Int64s(std::vector<int64_t>{value}));
  };
  size = Dim(count);
  const std::vector<ValueId> inputs = {source, ints(part * count), ints((part + 1) * count), ints(axis)};
  return rewriter.Append("Slice", "", inputs, {}, rewriter.graph().value(source).name + "_part", type);
}

Shape RowShape(const AttentionRows& rows) {
  return {rows.batch_size, rows.token_count, rows.head_count * rows.head_size};
}

Shape TokensLastShape(const AttentionRows& rows) {
  return {rows.batch_size, rows.head_count * rows.head_size, rows.token_count};
}

// The axis of the source that holds heads and elements.
size_t AxisOfChannels(const Graph& graph, const AttentionRows& rows) {
  return rows.tokens_last ? 1 : ShapeOf(graph, rows.view.source)->size() - 1;
}

// The shape of the source, with that axis reduced to the part if there is one.
Shape PartShape(const Graph& graph, const AttentionRows& rows) {
  Shape shape = *ShapeOf(graph, rows.view.source);
  if (rows.part) shape[AxisOfChannels(graph, rows)] = rows.head_count * rows.head_size;
  return shape;
}

// Part `part` of the outputs of a product that has the weight [outputs, ...] as input 1 and perhaps a bias as input 2,
// as a product of its own; kNoValue if they are not constants. `axis` of the result holds the outputs.
ValueId SplitProduct(Rewriter& rewriter, ValueId source, const Node& product, int64_t axis, int64_t part,
                     int64_t parts) {
  Graph& graph = rewriter.graph();
  const Tensor* weight = graph.ConstantInput(product, 1);
  const Tensor* bias = graph.ConstantInput(product, 2);
  if (weight == nullptr || weight->dim(0) % parts != 0 || (product.input(2) != kNoValue && bias == nullptr)) {
    return kNoValue;
  }
  const int64_t count = weight->dim(0) / parts;
  const int64_t begin = part * count;
  const Tensor weight_rows = Rows(*weight, begin, begin + count);
  const Tensor bias_rows = bias != nullptr ? Rows(*bias, begin, begin + count) : Tensor();
  std::optional<WeightOrigin> origin = graph.value(product.inputs[1]).origin;
  if (origin) {
    origin->row_begin += begin;
    origin->row_end = origin->row_begin + count;
  }
  const std::string suffix = "_part" + std::to_string(part);
  std::vector<ValueId> inputs = {product.inputs[0],
                                 rewriter.AddConstant(graph.value(product.inputs[1]).name + suffix, weight_rows)};
  graph.value(inputs[1]).origin = origin;
  if (bias_rows.Defined()) {
    inputs.push_back(rewriter.AddConstant(graph.value(product.inputs[2]).name + suffix, bias_rows));
  }
  Type type = graph.value(source).type;
  type.shape[static_cast<size_t>(axis)] = Dim(count);
  return rewriter.Append(product.op, product.domain, inputs, product.attributes, graph.value(source).name + suffix,
                         type);
}

// The same of a plain convolution's channels; kNoValue if `source` is no such thing.
ValueId SplitConvolution(Rewriter& rewriter, ValueId source, int64_t part, int64_t parts) {
  const Node* found = Producer(rewriter.graph(), source, "Conv");
  if (found == nullptr || found->Int("group", 1) != 1) return kNoValue;
  const Node conv = MakeNode("Conv", "", found->inputs, {}, found->attributes, found->name);
  return SplitProduct(rewriter, source, conv, 1, part, parts);
}

}  // namespace

namespace {

// Takes the repeated factors off the end of an axis of heads; false if any other is repeated.
bool SplitShared(const View& view, Axis* heads, Dim* shared) {
  while (!heads->empty() && view.IsRepeated(heads->back().id)) {
    *shared = *shared * heads->back().size;
    heads->pop_back();
  }
  return std::none_of(heads->begin(), heads->end(), [&](const AxisFactor& f) { return view.IsRepeated(f.id); });
}

bool HasRepeated(const View& view, const Axis& axis) {
  return std::any_of(axis.begin(), axis.end(), [&](const AxisFactor& f) { return view.IsRepeated(f.id); });
}

// The one selected factor as a part of the source's axis, of which it is the outermost; it is taken off `axis`. False
// if it isn't that.
bool TakePart(const View& view, Axis* axis, AttentionRows* rows) {
  if (axis->empty() || axis->front().id != view.selected[0].id) return false;
  const auto parts = axis->front().size.Constant();
  if (!parts) return false;
  rows->parts = *parts;
  rows->part = view.selected[0].index;
  axis->erase(axis->begin());
  return true;
}

// Of a source that has batch, heads, elements and tokens one after the other, its first axis the batch; or of one part
// of its second axis, which then holds nothing but parts, heads and elements.
std::optional<AttentionRows> TokensLast(View view, AttentionRows rows, const Axis& leading, const Axis& element,
                                        const Axis& tokens) {
  if (view.source_axes.size() < 3) return std::nullopt;
  const Axis& batch = view.source_axes[0];
  const size_t batch_factors = batch.size();
  if (leading.size() < batch_factors || Ids(WithoutTail(leading, leading.size() - batch_factors)) != Ids(batch) ||
      (view.axes.size() == 4 && Ids(view.axes[0]) != Ids(batch)) || Ids(tokens).empty()) {
    return std::nullopt;
  }
  const Axis heads(leading.begin() + static_cast<int64_t>(batch_factors), leading.end());
  std::vector<Axis> read = view.source_axes;
  if (!view.selected.empty() &&
      (!TakePart(view, &read[1], &rows) || Ids(read[1]) != Concatenated(Ids(heads), Ids(element)))) {
    return std::nullopt;
  }
  if (FlatIds(read) != Concatenated(Concatenated(Ids(leading), Ids(element)), Ids(tokens))) return std::nullopt;
  rows.tokens_last = true;
  rows.batch = Ids(batch);
  rows.tokens = Ids(tokens);
  rows.batch_size = SizeOf(batch);
  rows.head_count = SizeOf(heads);
  if (!rows.head_count.IsConstant() || !rows.head_size.IsConstant()) return std::nullopt;
  rows.view = std::move(view);
  return rows;
}

std::optional<AttentionRows> RowsOf(View view, bool tokens_last) {
  if (view.axes.size() == 5) {  // two axes of batch, as where windows of images attend each to itself
    view.axes[0].insert(view.axes[0].end(), view.axes[1].begin(), view.axes[1].end());
    view.axes.erase(view.axes.begin() + 1);
  }
  if (view.axes.size() < 3 || view.source_axes.empty() || view.selected.size() > 1) return std::nullopt;
  AttentionRows rows;
  const size_t rank = view.axes.size();
  const Axis element = view.axes[tokens_last ? rank - 2 : rank - 1];
  const Axis tokens = view.axes[tokens_last ? rank - 1 : rank - 2];
  Axis leading;
  for (size_t i = 0; i + 2 < rank; ++i) leading.insert(leading.end(), view.axes[i].begin(), view.axes[i].end());
  if (HasRepeated(view, element) || HasRepeated(view, tokens) || !SplitShared(view, &leading, &rows.shared)) {
    return std::nullopt;
  }
  Axis heads = rank == 4 ? view.axes[1] : Axis{};
  if (rank == 4) {
    Dim shared(1);
    SplitShared(view, &heads, &shared);
    if (!(shared == rows.shared)) return std::nullopt;
  } else if (!(rows.shared == Dim(1))) {
    return std::nullopt;
  }
  rows.token_count = SizeOf(tokens);
  rows.head_size = SizeOf(element);
  rows.heads_first = rank == 4 && view.selected.empty() && view.source_axes.size() == 4 &&
                     Ids(view.source_axes[0]) == Ids(view.axes[0]) && Ids(view.source_axes[1]) == Ids(heads) &&
                     Ids(view.source_axes[2]) == Ids(tokens) && Ids(view.source_axes[3]) == Ids(element);
  if (rows.heads_first) {
    rows.batch = Ids(view.axes[0]);
    rows.tokens = Ids(tokens);
    rows.batch_size = SizeOf(view.axes[0]);
    rows.head_count = SizeOf(heads);
    rows.view = std::move(view);
    return rows.head_count.IsConstant() && rows.head_size.IsConstant() ? std::optional(rows) : std::nullopt;
  }
  Axis last = view.source_axes.back();
  AttentionRows whole = rows;
  if ((!view.selected.empty() && !TakePart(view, &last, &rows)) || !EndsWith(last, element)) {
    return TokensLast(std::move(view), std::move(whole), leading, element, tokens);
  }
  const Axis row_heads = WithoutTail(last, element.size());
  if (rank == 4 ? Ids(row_heads) != Ids(heads) : !EndsWith(leading, row_heads)) return std::nullopt;
  const Axis batch = WithoutTail(leading, row_heads.size());
  rows.batch = Ids(batch);
  rows.tokens = Ids(tokens);
  rows.batch_size = SizeOf(batch);
  rows.head_count = SizeOf(row_heads);
  if (!rows.head_count.IsConstant() || !rows.head_size.IsConstant()) return std::nullopt;
  rows.view = std::move(view);
  return rows;
}

}  // namespace

std::optional<AttentionRows> MatchAttentionRows(const Graph& graph, ValueId value, bool tokens_last) {
  // A chain longer than any head split ends the search at its far end only.
  constexpr int kLongestSplit = 12;
  int depth = 64;
  while (depth >= 0) {
    auto view = TraceView(graph, value, {.select = true, .scale = true, .repeat = true, .max_depth = depth});
    if (!view) return std::nullopt;
    const int reached = view->depth;
    auto rows = RowsOf(std::move(*view), tokens_last);
    if (rows && CanMakeRows(graph, *rows)) return rows;
    depth = std::min(reached, kLongestSplit) - 1;
  }
  return std::nullopt;
}

bool CanMakeRows(const Graph& graph, const AttentionRows& rows) {
  if (rows.heads_first) return true;
  if (rows.tokens_last) return ReshapeTarget(PartShape(graph, rows), TokensLastShape(rows)).has_value();
  if (IsSwapped(rows)) return true;
  if (LeadingIds(rows.view) != Concatenated(rows.batch, rows.tokens)) return false;
  return ReshapeTarget(PartShape(graph, rows), RowShape(rows)).has_value();
}

ValueId MakeRows(Rewriter& rewriter, const AttentionRows& rows) {
  Graph& graph = rewriter.graph();
  ValueId value = rows.view.source;
  if (rows.heads_first) return value;
  if (rows.part) {
    const auto axis = static_cast<int64_t>(AxisOfChannels(graph, rows));
    const ValueId product = rows.tokens_last ? SplitConvolution(rewriter, value, *rows.part, rows.parts)
                                             : SplitLinear(rewriter, value, *rows.part, rows.parts);
    value = product != kNoValue ? product : SliceAxis(rewriter, value, axis, *rows.part, rows.parts);
  }
  if (rows.tokens_last) {
    const std::string base = graph.value(value).name;
    const Shape wide = TokensLastShape(rows), shape = *ShapeOf(graph, value);
    if (shape != wide) {
      const ValueId target = rewriter.AddConstant(base + "_row_shape", Tensor::Int64s(*ReshapeTarget(shape, wide)));
      value =
          rewriter.Append("Reshape", "", {value, target}, {}, base + "_row", Type::Tensor(DTypeOf(graph, value), wide));
    }
    return rewriter.Append("Transpose", "", {value}, {{"perm", std::vector<int64_t>{0, 2, 1}}}, base + "_rows",
                           Type::Tensor(DTypeOf(graph, value), RowShape(rows)));
  }
  const Shape wanted = RowShape(rows);
  const Type type = Type::Tensor(DTypeOf(graph, value), wanted);
  const std::string name = graph.value(value).name + "_rows";
  if (IsSwapped(rows)) {
    return rewriter.Append("Transpose", "", {value}, {{"perm", std::vector<int64_t>{1, 0, 2}}}, name, type);
  }
  const Shape shape = *ShapeOf(graph, value);
  if (shape == wanted) return value;
  const ValueId target = rewriter.AddConstant(name + "_shape", Tensor::Int64s(*ReshapeTarget(shape, wanted)));
  return rewriter.Append("Reshape", "", {value, target}, {}, name, type);
}

void SplitHeads(Rewriter& rewriter, NodeId id, ValueId rows, int64_t heads, int64_t head_size) {
  Graph& graph = rewriter.graph();
  const ValueId output = graph.node(id).outputs[0];
  const Shape row_shape = *ShapeOf(graph, rows);
  const Shape shape = *ShapeOf(graph, output);
  const std::string name = graph.value(output).name;
  const auto reshape_input = [&](const std::vector<int64_t>& target) {
    return rewriter.AddConstant(name + "_heads_shape", Tensor::Int64s(target));
  };
  const Dim &batch = row_shape[0], &tokens = row_shape[1];
  const auto append = [&](const std::string& op, std::vector<ValueId> inputs, std::vector<int64_t> perm, Shape result) {
    std::map<std::string, Attribute> attributes;
    if (!perm.empty()) attributes["perm"] = std::move(perm);
    return rewriter.Append(op, "", std::move(inputs), std::move(attributes), name + "_heads",
                           Type::Tensor(DType::kFloat32, std::move(result)));
  };
  if (shape.size() == 5) {
    const Shape apart = {shape[0], shape[1], tokens, Dim(heads), Dim(head_size)};
    const ValueId split = append("Reshape", {rows, reshape_input(*ReshapeTarget(row_shape, apart))}, {}, apart);
    const std::vector<int64_t> perm = {0, 1, 3, 2, 4};
    rewriter.Replace(id, MakeNode("Transpose", "", {split}, {output}, {{"perm", perm}}));
    return;
  }
  const ValueId split = append("Reshape", {rows, reshape_input({0, 0, heads, head_size})}, {},
                               {batch, tokens, Dim(heads), Dim(head_size)});
  if (shape.size() == 4) {
    rewriter.Replace(id, MakeNode("Transpose", "", {split}, {output}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}}));
    return;
  }
  // [B*H, S, E] by way of [S, B*H, E]: so no Reshape has to name two symbols.
  const ValueId turned = append("Transpose", {split}, {1, 0, 2, 3}, {tokens, batch, Dim(heads), Dim(head_size)});
  const ValueId joined =
      append("Reshape", {turned, reshape_input({0, -1, head_size})}, {}, {tokens, batch * Dim(heads), Dim(head_size)});
  rewriter.Replace(id, MakeNode("Transpose", "", {joined}, {output}, {{"perm", std::vector<int64_t>{1, 0, 2}}}));
}

ValueId SplitLinear(Rewriter& rewriter, ValueId source, int64_t part, int64_t parts) {
  Graph& graph = rewriter.graph();
  const Node* found = Producer(graph, source, "Linear", kTamisDomain);
  if (found == nullptr || found->input(3) != kNoValue || !found->String("activation", "").empty()) return kNoValue;
  const Node linear = MakeNode("Linear", kTamisDomain, found->inputs, {}, found->attributes, found->name);
  return SplitProduct(rewriter, source, linear, static_cast<int64_t>(graph.value(source).type.shape.size()) - 1, part,
                      parts);
}

}  // namespace tamis
