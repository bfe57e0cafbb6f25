#include "src/ops/op_quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "src/ops/op_elementwise.h"
#include "src/ops/op_packed.h"
#include "src/ops/op_rule.h"

namespace tamis {

ScaleIndex::ScaleIndex(const Dims& x, const Dims& scale, int64_t axis, int64_t block) {
  const int64_t count = NumElements(scale);
  const auto rank = static_cast<int64_t>(x.size());
  if (block == 0 && count == 1) return;
  const auto at = static_cast<size_t>(axis < 0 ? axis + rank : axis);
  size_ = x[at];
  for (size_t i = at + 1; i < x.size(); ++i) inner_ *= x[i];
  block_ = block;
  scales_ = block == 0 ? count : scale[at];
}

Status CheckScales(const InferContext& context) {
  const Shape* x = context.InputShape(0);
  const Shape* scale = context.InputShape(1);
  const Shape* zero = context.InputShape(2);
  const auto is_one = [](const Shape& shape) {
    return std::all_of(shape.begin(), shape.end(), [](const Dim& dim) { return dim == Dim(1); });
  };
  if (scale != nullptr && zero != nullptr && !(is_one(*scale) && is_one(*zero)) &&
      (scale->size() != zero->size() || !std::equal(scale->begin(), scale->end(), zero->begin(), MayEqual))) {
    return context.Error(
        fmt::format("the scale {} and the zero point {} must have one shape", ToString(*scale), ToString(*zero)));
  }
  if (x == nullptr || scale == nullptr) return {};
  const int64_t block = context.node().Int("block_size", 0);
  if (block < 0) return context.Error(fmt::format("block_size is {}, must be positive", block));
  if (block == 0 && is_one(*scale) && scale->size() <= 1) return {};
  if (block == 0 && scale->size() != 1) {
    return context.Error(
        fmt::format("the scale {} must have no or one dimension, or block_size must say how many elements share one",
                    ToString(*scale)));
  }
  if (block == 0 && context.opset() < 13) {
    return context.Error(fmt::format("the scale {} must be one number before opset 13", ToString(*scale)));
  }
  TAMIS_ASSIGN_OR_RETURN(const int64_t axis,
                         ResolvedAxis(context, context.node().Int("axis", 1), static_cast<int64_t>(x->size())));
  const auto at = static_cast<size_t>(axis);
  if (block == 0) {
    if (MayEqual((*scale)[0], (*x)[at])) return {};
    return context.Error(fmt::format("the scale {} does not fit axis {} of {}", ToString(*scale), axis, ToString(*x)));
  }
  bool fits = scale->size() == x->size();
  for (size_t i = 0; fits && i < x->size(); ++i) {
    fits = MayEqual((*scale)[i], i == at ? Dim::CeilDiv((*x)[i], Dim(block)) : (*x)[i]);
  }
  if (fits) return {};
  return context.Error(fmt::format("the scale {} does not fit {} in blocks of {} along axis {}", ToString(*scale),
                                   ToString(*x), block, axis));
}

Status CheckScaleDType(const InferContext& context, size_t i) {
  const DType dtype = context.InputDType(i);
  switch (dtype) {
    case DType::kUndefined:
    case DType::kFloat32:
    case DType::kFloat16:
    case DType::kBFloat16:
      return {};
    case DType::kFloat8E8M0:
      if (context.opset() >= 23) return {};
      break;
    default:
      break;
  }
  return context.Error(fmt::format("input {}, the scale, is {}, must be float32, float16 or bfloat16{}", i, Name(dtype),
                                   context.opset() >= 23 ? " or float8_e8m0fnu" : ""));
}

Result<DType> DTypeAttribute(const InferContext& context, const std::string& name) {
  const int64_t number = context.node().Int(name, 0);
  const auto dtype = static_cast<DType>(number);
  if (number == 0) return DType::kUndefined;
  if (number < 0 || number > 255 || BitSize(dtype) == 0) {
    return context.Error(fmt::format("attribute {} is {}, not an element type that is supported", name, number));
  }
  return dtype;
}

IntegerRange RangeOf(DType dtype) {
  const int bits = BitSize(dtype);
  const bool is_signed = WideOf(dtype) == Wide::kInt64;
  return is_signed ? IntegerRange{-std::ldexp(1.0, bits - 1), std::ldexp(1.0, bits - 1) - 1}
                   : IntegerRange{0, std::ldexp(1.0, bits) - 1};
}

double Saturated(double value, double zero, const IntegerRange& range) {
  if (std::isnan(value)) value = 0;
  return std::clamp(std::nearbyint(value) + zero, range.low, range.high);
}

namespace {

// A node of `op` that stands for the context's.
Node StandIn(const Node& node, const std::string& op) {
  Node copy;
  copy.op = op;
  copy.name = node.name;
  copy.attributes = node.attributes;
  return copy;
}

}  // namespace

Result<Type> InferAs(const InferContext& context, const std::string& op, const std::vector<Type>& operands) {
  Graph graph;
  graph.opsets[""] = context.opset();
  Node node = StandIn(context.node(), op);
  for (const Type& type : operands) {
    const bool given = !type.IsTensor() || type.dtype != DType::kUndefined;
    node.inputs.push_back(given ? graph.AddValue(graph.FreshName("x"), type) : kNoValue);
  }
  const ValueId output = graph.AddValue("y");
  node.outputs.push_back(output);
  const Status status = InferNode(graph, graph.AddNode(std::move(node)));
  if (!status.ok()) return context.Error(status.message());
  return graph.value(output).type;
}

Result<Tensor> EvaluateAs(const EvalContext& context, const std::string& op, const std::vector<Tensor>& operands) {
  Node node = StandIn(context.node, op);
  std::vector<const Tensor*> inputs;
  for (const Tensor& operand : operands) {
    inputs.push_back(operand.Defined() ? &operand : nullptr);
    node.inputs.push_back(operand.Defined() ? static_cast<ValueId>(node.inputs.size()) : kNoValue);
  }
  node.outputs.push_back(static_cast<ValueId>(operands.size()));
  TAMIS_ASSIGN_OR_RETURN(auto results, EvaluateNode(node, context.opset, inputs));
  return std::move(results[0]);
}

Type TypeAs(const InferContext& context, size_t i, DType dtype) {
  if (!context.HasInput(i)) return Unranked(DType::kUndefined);
  Type type = *context.InputType(i);
  type.dtype = dtype;
  return type;
}

Tensor Centered(const Tensor& values, const Tensor* zeros, DType dtype) {
  constexpr int64_t kBlock = 512;
  Tensor result(dtype, values.dims());
  const WideReader reader(values, values.dims());
  std::array<double, kBlock> value;
  std::array<double, kBlock> zero{};
  std::optional<WideReader> zero_reader;
  if (zeros != nullptr) zero_reader.emplace(*zeros, values.dims());
  for (int64_t begin = 0; begin < values.NumElements(); begin += kBlock) {
    const auto size = static_cast<size_t>(std::min(kBlock, values.NumElements() - begin));
    reader.Read<double>(begin, std::span(value).first(size));
    if (zero_reader) zero_reader->Read<double>(begin, std::span(zero).first(size));
    for (size_t i = 0; i < size; ++i) value[i] -= zero[i];
    WriteWide<double>(result, begin, std::span<const double>(value).first(size));
  }
  return result;
}

namespace {

// The axis of the operand that a vector of scales goes along.
size_t VectorAxis(size_t rank, Operand8 kind) {
  if (kind == Operand8::kFilters) return 0;
  return rank - (kind == Operand8::kRows && rank > 1 ? 2 : 1);
}

}  // namespace

Tensor ScalesFor(const Tensor& scales, const Dims& operand, Operand8 kind) {
  if (scales.NumElements() == 1) return scales.Reshaped({});
  if (scales.rank() != 1) return scales;
  Dims dims(operand.size() - VectorAxis(operand.size(), kind), 1);
  dims[0] = scales.NumElements();
  return scales.Reshaped(dims);
}

Status CheckScalesFor(const InferContext& context, size_t scales, size_t operand, Operand8 kind) {
  const Shape* have = context.InputShape(scales);
  const Shape* of = context.InputShape(operand);
  if (have == nullptr || of == nullptr || have->empty()) return {};
  if (have->size() == 1 && (*have)[0] == Dim(1)) return {};
  const size_t rank = of->size();
  if (rank >= (kind == Operand8::kFilters ? 1 : 2)) {
    if (have->size() == 1 && MayEqual((*have)[0], (*of)[VectorAxis(rank, kind)])) return {};
    bool fits = have->size() == rank && BroadcastsTo(*have, *of);
    for (size_t axis = 0; fits && axis < rank; ++axis) {
      const bool summed = kind == Operand8::kFilters   ? axis > 0
                          : kind == Operand8::kColumns ? axis == rank - 2
                                                       : axis == rank - 1;
      fits = !summed || (*have)[axis] == Dim(1);
    }
    if (fits) return {};
  }
  return context.Error(fmt::format("input {} of dimensions {} does not fit input {} of dimensions {}", scales,
                                   ToString(*have), operand, ToString(*of)));
}

Tensor SampleBytes(DType dtype, uint64_t seed, Dims dims) {
  Tensor tensor(dtype, dims);
  const Tensor values = SampleInts(seed, std::move(dims), -99, 99);
  for (int64_t i = 0; i < tensor.NumElements(); ++i) {
    tensor.Data<uint8_t>()[i] = static_cast<uint8_t>(values.Data<int64_t>()[i]);
  }
  return tensor;
}

}  // namespace tamis
