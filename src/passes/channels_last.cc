#include "src/passes/channels_last.h"

#include <algorithm>
#include <array>

#include "src/passes/match.h"

namespace tamis {

std::vector<int64_t> ToChannelsLast(int64_t rank) {
  std::vector<int64_t> perm = {0};
  for (int64_t i = 2; i < rank; ++i) perm.push_back(i);
  perm.push_back(1);
  return perm;
}

std::vector<int64_t> FromChannelsLast(int64_t rank) {
  std::vector<int64_t> perm = {0, rank - 1};
  for (int64_t i = 1; i + 1 < rank; ++i) perm.push_back(i);
  return perm;
}

int64_t ChannelsLastAxis(int64_t axis, int64_t rank) {
  if (axis < 0) axis += rank;
  return axis == 0 ? 0 : axis == 1 ? rank - 1 : axis - 1;
}

Shape Permuted(const Shape& shape, const std::vector<int64_t>& perm) {
  Shape result;
  for (int64_t axis : perm) result.push_back(shape[static_cast<size_t>(axis)]);
  return result;
}

namespace {

// Elements of `to` in order, from where `strides` (in elements, one a dimension of `to`) say.
template <class T>
void Gather(const T* from, const Dims& dims, const Dims& strides, T* to) {
  const size_t rank = dims.size();
  const int64_t row = rank == 0 ? 1 : dims.back(), step = rank == 0 ? 0 : strides.back();
  const int64_t rows = row == 0 ? 0 : NumElements(dims) / row;
  Dims index(rank, 0);
  for (int64_t r = 0; r < rows; ++r, to += row) {
    for (int64_t i = 0; i < row; ++i) to[i] = from[i * step];
    for (size_t i = rank > 0 ? rank - 1 : 0; i-- > 0;) {
      from += strides[i];
      if (++index[i] < dims[i]) break;
      from -= strides[i] * dims[i];
      index[i] = 0;
    }
  }
}

}  // namespace

Tensor Transposed(const Tensor& tensor, const std::vector<int64_t>& perm) {
  const size_t rank = perm.size();
  Dims dims(rank), strides(rank, 1), moved(rank);
  for (size_t i = rank; i-- > 1;) strides[i - 1] = strides[i] * tensor.dims()[i];
  for (size_t i = 0; i < rank; ++i) {
    dims[i] = tensor.dim(perm[i]);
    moved[i] = strides[static_cast<size_t>(perm[i])];
  }
  Tensor result(tensor.dtype(), dims);
  const auto gather = [&](auto element) {
    using T = decltype(element);
    Gather(reinterpret_cast<const T*>(tensor.raw()), dims, moved, reinterpret_cast<T*>(result.raw()));
  };
  switch (ByteSize(tensor.dtype(), 1)) {
    case 1:
      gather(uint8_t{});
      break;
    case 2:
      gather(uint16_t{});
      break;
    case 4:
      gather(uint32_t{});
      break;
    case 8:
      gather(uint64_t{});
      break;
    default:
      gather(std::array<uint64_t, 2>{});  // complex of two doubles
  }
  return result;
}

namespace {

// Whether only axes of size one change their place among the others, so that the elements keep their order.
bool KeepsOrder(const Shape& shape, const std::vector<int64_t>& perm) {
  int64_t last = -1;
  for (int64_t axis : perm) {
    if (shape[static_cast<size_t>(axis)] == Dim(1)) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

}  // namespace

ValueId ChannelsLastTwins::Constant(ValueId value, int64_t rank) {
  const Tensor& tensor = *rewriter_.graph().value(value).constant;
  Dims dims = tensor.dims();
  dims.insert(dims.begin(), static_cast<size_t>(rank) - dims.size(), 1);
  Tensor turned = Transposed(tensor.Reshaped(dims), ToChannelsLast(rank));
  return rewriter_.AddConstant(rewriter_.graph().value(value).name + std::string(kChannelsLastSuffix),
                               std::move(turned));
}

Node ChannelsLastTwins::OrderChange(ValueId from, const Shape& shape, const std::vector<int64_t>& perm,
                                    ValueId output) {
  const Shape turned = Permuted(shape, perm);
  const auto target = KeepsOrder(shape, perm) ? ReshapeTarget(shape, turned) : std::nullopt;
  if (!target) return MakeNode("Transpose", "", {from}, {output}, {{"perm", perm}});
  const std::string name = rewriter_.graph().value(from).name + "_shape";
  return MakeNode("Reshape", "", {from, rewriter_.AddConstant(name, Tensor::Int64s(*target))}, {output});
}

ValueId ChannelsLastTwins::Get(ValueId value) {
  if (const auto found = twins_.find(value); found != twins_.end()) return found->second;
  Graph& graph = rewriter_.graph();
  const int64_t rank = RankOf(graph, value);
  if (graph.value(value).IsConstant()) return twins_[value] = Constant(value, rank);
  const Shape shape = *ShapeOf(graph, value);
  const std::vector<int64_t> perm = ToChannelsLast(rank);
  const ValueId twin = graph.AddValue(rewriter_.FreeName(graph.value(value).name + std::string(kChannelsLastSuffix)),
                                      Type::Tensor(DTypeOf(graph, value), Permuted(shape, perm)));
  rewriter_.Append(OrderChange(value, shape, perm, twin));
  return twins_[value] = twin;
}

std::optional<ValueId> ChannelsLastTwins::GetBroadcast(ValueId operand, int64_t rank) {
  const Graph& graph = rewriter_.graph();
  if (operand == kNoValue) return kNoValue;
  const Shape* shape = ShapeOf(graph, operand);
  if (shape == nullptr) return std::nullopt;
  if (shape->empty() || (shape->size() == 1 && (*shape)[0] == Dim(1))) return operand;
  if (static_cast<int64_t>(shape->size()) == rank) return Get(operand);
  if (!graph.value(operand).IsConstant() || static_cast<int64_t>(shape->size()) > rank) return std::nullopt;
  return Constant(operand, rank);
}

void ChannelsLastTwins::Convert(NodeId id, std::string op, std::string_view domain, std::vector<ValueId> inputs,
                                std::map<std::string, Attribute> attributes) {
  Graph& graph = rewriter_.graph();
  const std::vector<ValueId> outputs = graph.node(id).outputs;
  std::vector<ValueId> twins;
  std::vector<Node> back;
  for (const ValueId output : outputs) {
    if (output == kNoValue) {
      twins.push_back(kNoValue);
      continue;
    }
    const Shape shape = *ShapeOf(graph, output);
    const auto rank = static_cast<int64_t>(shape.size());
    const Shape turned = Permuted(shape, ToChannelsLast(rank));
    const ValueId twin = graph.AddValue(rewriter_.FreeName(graph.value(output).name + std::string(kChannelsLastSuffix)),
                                        Type::Tensor(DTypeOf(graph, output), turned));
    back.push_back(OrderChange(twin, turned, FromChannelsLast(rank), output));
    twins_[output] = twin;
    twins.push_back(twin);
  }
  rewriter_.Append(
      MakeNode(std::move(op), domain, std::move(inputs), std::move(twins), std::move(attributes), graph.node(id).name));
  for (size_t i = 0; i < back.size(); ++i) {
    if (i == 0) {
      rewriter_.Replace(id, std::move(back[i]));
    } else {
      rewriter_.Append(std::move(back[i]));
    }
  }
}

}  // namespace tamis
