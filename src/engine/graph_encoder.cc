#include <cstring>

#include "src/base/float16.h"
#include "src/engine/format.h"
#include "src/engine/graph_codec.h"
#include "src/engine/weight_layout.h"

namespace tamis {
namespace {

using flatbuffers::Offset;

fb::Layout UndoOf(WeightTransform transform) {
  switch (transform) {
    case WeightTransform::kTransposed2D:
      return fb::Layout::UndoTransposed2D;
    case WeightTransform::kOihwToOhwi:
      return fb::Layout::UndoOihwToOhwi;
    case WeightTransform::kNone:
      break;
  }
  return fb::Layout::Same;
}

// `source` in the order of the fused graph; an undefined tensor if the transform does not fit its dimensions.
Tensor Transformed(const Tensor& source, WeightTransform transform) {
  if (transform == WeightTransform::kNone) return source;
  const auto extent = ExtentOf(transform, source.dims());
  if (!extent || BitSize(source.dtype()) < 8) return {};
  Tensor result(source.dtype(), source.dims());
  TransposeBatches(source.raw(), *extent, static_cast<size_t>(BitSize(source.dtype()) / 8), result.raw());
  return result;
}

// All live: regions too.
void CompactAll(Graph& graph) {
  graph.Compact();
  for (NodeId id : graph.NodeIds()) {
    for (Region& region : graph.node(id).regions) CompactAll(*region.body);
  }
}

}  // namespace

Result<Offset<fb::Graph>> GraphEncoder::Encode(const Graph& graph) {
  Graph live = graph.Clone();
  CompactAll(live);
  return EncodeCompact(live);
}

Result<Offset<fb::Graph>> GraphEncoder::EncodeCompact(const Graph& graph) {
  std::vector<Offset<fb::Value>> values;
  for (size_t i = 0; i < graph.NumValues(); ++i) {
    TAMIS_ASSIGN_OR_RETURN(auto value, EncodeValue(graph.value(static_cast<ValueId>(i))));
    values.push_back(value);
  }
  std::vector<Offset<fb::Node>> nodes;
  for (NodeId id : graph.NodeIds()) {
    TAMIS_ASSIGN_OR_RETURN(auto node, EncodeNode(graph.node(id)));
    nodes.push_back(node);
  }
  std::vector<Offset<fb::Opset>> opsets;
  for (const auto& [domain, version] : graph.opsets) {
    opsets.push_back(fb::CreateOpset(fbb_, fbb_.CreateString(domain), version));
  }
  const auto name = fbb_.CreateString(graph.name);
  const auto stored_opsets = fbb_.CreateVector(opsets);
  const auto stored_values = fbb_.CreateVector(values);
  const auto stored_nodes = fbb_.CreateVector(nodes);
  const auto inputs = fbb_.CreateVector(graph.inputs);
  const auto outputs = fbb_.CreateVector(graph.outputs);
  const auto docs = fbb_.CreateVectorOfStrings(graph.input_docs);
  return fb::CreateGraph(fbb_, name, stored_opsets, stored_values, stored_nodes, inputs, outputs, docs);
}

Result<Offset<fb::Value>> GraphEncoder::EncodeValue(const Value& value) {
  Offset<fb::Constant> constant;
  Offset<flatbuffers::String> origin;
  if (value.constant) {
    TAMIS_ASSIGN_OR_RETURN(
        constant, EncodeTensor(value.name, *value.constant, value.pattern, value.origin ? &*value.origin : nullptr));
  }
  if (value.origin) origin = fbb_.CreateString(value.origin->initializer);
  Offset<flatbuffers::Vector<Offset<fb::Dim>>> contents;
  if (value.contents) {
    std::vector<Offset<fb::Dim>> dims;
    for (const Dim& dim : *value.contents) dims.push_back(EncodeDim(dim));
    contents = fbb_.CreateVector(dims);
  }
  const auto name = fbb_.CreateString(value.name);
  const auto type = EncodeType(value.type);
  return fb::CreateValue(fbb_, name, type, constant, contents, value.contents.has_value(), origin,
                         value.origin ? static_cast<uint8_t>(value.origin->transform) : uint8_t{0},
                         static_cast<uint8_t>(value.pattern));
}

Result<Offset<fb::Node>> GraphEncoder::EncodeNode(const Node& node) {
  std::vector<Offset<fb::Attribute>> attributes;
  for (const auto& [key, attribute] : node.attributes) {
    TAMIS_ASSIGN_OR_RETURN(auto stored, EncodeAttribute(key, attribute));
    attributes.push_back(stored);
  }
  std::vector<Offset<fb::Region>> regions;
  for (const Region& region : node.regions) {
    TAMIS_ASSIGN_OR_RETURN(auto body, EncodeCompact(*region.body));
    const auto name = fbb_.CreateString(region.name);
    regions.push_back(fb::CreateRegion(fbb_, name, body, fbb_.CreateVector(region.captures)));
  }
  const auto op = fbb_.CreateString(node.op);
  const auto domain = fbb_.CreateString(node.domain);
  const auto name = fbb_.CreateString(node.name);
  const auto inputs = fbb_.CreateVector(node.inputs);
  const auto outputs = fbb_.CreateVector(node.outputs);
  const auto stored_attributes = fbb_.CreateVector(attributes);
  return fb::CreateNode(fbb_, op, domain, name, inputs, outputs, stored_attributes, fbb_.CreateVector(regions));
}

Result<Offset<fb::Attribute>> GraphEncoder::EncodeAttribute(const std::string& name, const Attribute& attribute) {
  const auto key = fbb_.CreateString(name);
  // The alternatives of Attribute and AttributeKind stand in the same places.
  static_assert(
      std::is_same_v<std::variant_alternative_t<static_cast<size_t>(fb::AttributeKind::Tensor), Attribute>, Tensor> &&
      std::is_same_v<std::variant_alternative_t<static_cast<size_t>(fb::AttributeKind::Strings), Attribute>,
                     std::vector<std::string>>);
  const auto kind = static_cast<fb::AttributeKind>(attribute.index());
  Offset<flatbuffers::Vector<int64_t>> ints;
  Offset<flatbuffers::Vector<float>> floats;
  Offset<flatbuffers::Vector<Offset<flatbuffers::String>>> strings;
  Offset<fb::Constant> tensor;
  switch (kind) {
    case fb::AttributeKind::Int:
      ints = fbb_.CreateVector(&std::get<int64_t>(attribute), 1);
      break;
    case fb::AttributeKind::Float:
      floats = fbb_.CreateVector(&std::get<float>(attribute), 1);
      break;
    case fb::AttributeKind::String:
      strings = fbb_.CreateVectorOfStrings(std::vector<std::string>{std::get<std::string>(attribute)});
      break;
    case fb::AttributeKind::Tensor: {
      TAMIS_ASSIGN_OR_RETURN(tensor, EncodeTensor(name, std::get<Tensor>(attribute), Pattern::kDense, nullptr));
      break;
    }
    case fb::AttributeKind::Ints:
      ints = fbb_.CreateVector(std::get<std::vector<int64_t>>(attribute));
      break;
    case fb::AttributeKind::Floats:
      floats = fbb_.CreateVector(std::get<std::vector<float>>(attribute));
      break;
    case fb::AttributeKind::Strings:
      strings = fbb_.CreateVectorOfStrings(std::get<std::vector<std::string>>(attribute));
      break;
  }
  return fb::CreateAttribute(fbb_, key, kind, ints, floats, strings, tensor);
}

Result<Offset<fb::Constant>> GraphEncoder::EncodeTensor(const std::string& name, const Tensor& tensor, Pattern pattern,
                                                        const WeightOrigin* origin) {
  if (tensor.dtype() == DType::kString) {
    const auto elements = tensor.Span<std::string>();
    const auto strings = fbb_.CreateVectorOfStrings({elements.begin(), elements.end()});
    const auto string_dims = fbb_.CreateVector(tensor.dims());
    const auto string = static_cast<uint8_t>(DType::kString);
    return fb::CreateConstant(fbb_, string, string_dims, -1, 0, fb::Layout::Same, string, strings);
  }
  if (BitSize(tensor.dtype()) == 0) {
    return UserError("constant '{}' is of type {}, which an engine file cannot hold", name, Name(tensor.dtype()));
  }
  const auto dtype = static_cast<uint8_t>(tensor.dtype());
  const auto dims = fbb_.CreateVector(tensor.dims());
  const size_t bytes = tensor.NumBytes();
  if (bytes <= kInlineBytes) {
    const auto data = fbb_.CreateVector(reinterpret_cast<const uint8_t*>(tensor.raw()), bytes);
    return fb::CreateConstant(fbb_, dtype, dims, -1, data, fb::Layout::Same, dtype);
  }
  if (origin == nullptr) {
    if (const FusedWeight* fused = FindFused(name, tensor)) {
      return fb::CreateConstant(fbb_, dtype, dims, fused->index, 0, UndoOf(fused->transform),
                                static_cast<uint8_t>(fused->tensor.dtype()));
    }
  }
  if (origin != nullptr && tensor.dtype() == DType::kBFloat16) {
    if (const FusedWeight* wide = FindWide(*origin, tensor, pattern)) {
      return fb::CreateConstant(fbb_, dtype, dims, wide->index, 0, fb::Layout::Same,
                                static_cast<uint8_t>(wide->tensor.dtype()));
    }
  }
  TAMIS_ASSIGN_OR_RETURN(const int32_t index, weights_.Add(name, tensor, pattern));
  if (origin != nullptr) fused_.emplace(origin->initializer, FusedWeight{index, tensor, origin->transform, pattern});
  return fb::CreateConstant(fbb_, dtype, dims, index, 0, fb::Layout::Same, dtype);
}

const GraphEncoder::FusedWeight* GraphEncoder::FindWide(const WeightOrigin& origin, const Tensor& tensor,
                                                        Pattern pattern) {
  for (auto [it, end] = fused_.equal_range(origin.initializer); it != end; ++it) {
    const FusedWeight& wide = it->second;
    if (wide.tensor.dtype() != DType::kFloat32 || wide.transform != origin.transform || wide.pattern != pattern ||
        wide.tensor.dims() != tensor.dims()) {
      continue;
    }
    const auto from = wide.tensor.Span<float>();
    const auto to = tensor.Span<uint16_t>();
    bool rounded = true;
    for (size_t i = 0; i < from.size() && rounded; ++i) rounded = FloatToBf16(from[i]) == to[i];
    if (rounded) return &wide;
  }
  return nullptr;
}

const GraphEncoder::FusedWeight* GraphEncoder::FindFused(const std::string& name, const Tensor& tensor) {
  for (auto [it, end] = fused_.equal_range(name); it != end; ++it) {
    const FusedWeight& fused = it->second;
    if (fused.tensor.NumElements() != tensor.NumElements()) continue;
    const Tensor expected = Transformed(tensor, fused.transform);
    if (!expected.Defined()) continue;
    if (fused.tensor.dtype() == tensor.dtype()) {
      if (std::memcmp(expected.raw(), fused.tensor.raw(), expected.NumBytes()) == 0) return &fused;
    } else if ((fused.tensor.dtype() == DType::kBFloat16 || fused.tensor.dtype() == DType::kFloat16) &&
               tensor.dtype() == DType::kFloat32) {
      const bool half = fused.tensor.dtype() == DType::kFloat16;
      const auto wide = expected.Span<float>();
      const auto narrow = fused.tensor.Span<uint16_t>();
      bool rounded = true, same = true;
      for (size_t i = 0; i < wide.size() && rounded; ++i) {
        rounded = (half ? FloatToHalf : FloatToBf16)(wide[i]) == narrow[i];
        same = same && (half ? HalfToFloat : Bf16ToFloat)(narrow[i]) == wide[i];
      }
      if (!rounded) continue;
      exact_ = exact_ && same;
      return &fused;
    }
  }
  return nullptr;
}

Offset<fb::Type> GraphEncoder::EncodeType(const Type& type) {
  Offset<fb::Type> element;
  if (type.element) element = EncodeType(*type.element);
  std::vector<Offset<fb::Dim>> dims;
  for (const Dim& dim : type.shape) dims.push_back(EncodeDim(dim));
  return fb::CreateType(fbb_, static_cast<fb::TypeKind>(type.kind), static_cast<uint8_t>(type.dtype), type.has_rank,
                        fbb_.CreateVector(dims), element);
}

Offset<fb::Dim> GraphEncoder::EncodeDim(const Dim& dim) {
  int64_t constant = 0;
  std::vector<Offset<fb::DimTerm>> terms;
  for (const DimTerm& term : dim.Terms()) {
    if (term.factors.empty()) {
      constant = term.coefficient;
      continue;
    }
    std::vector<Offset<fb::DimFactor>> factors;
    for (const DimFactor& factor : term.factors) {
      if (factor.op == DimOp::kSymbol) {
        factors.push_back(fb::CreateDimFactor(fbb_, fb::DimOp::Symbol, fbb_.CreateString(factor.symbol)));
      } else {
        const auto a = EncodeDim(factor.a);
        const auto b = EncodeDim(factor.b);
        factors.push_back(fb::CreateDimFactor(fbb_, static_cast<fb::DimOp>(factor.op), 0, a, b));
      }
    }
    terms.push_back(fb::CreateDimTerm(fbb_, term.coefficient, fbb_.CreateVector(factors)));
  }
  return fb::CreateDim(fbb_, constant, terms.empty() ? 0 : fbb_.CreateVector(terms));
}

}  // namespace tamis
