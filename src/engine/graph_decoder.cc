#include <limits>

#include "src/engine/decode_budget.h"
#include "src/engine/format.h"
#include "src/engine/graph_codec.h"

namespace tamis {
namespace {

class GraphDecoder : private DecodeBudget {
 public:
  GraphDecoder(uint64_t metadata_bytes, const LoadConstant& load) : DecodeBudget(metadata_bytes), load_(load) {}

  Result<Graph> Decode(const fb::Graph& stored, int depth) {
    if (depth > kMaxRegionDepth) return UserError("regions are nested deeper than {}", kMaxRegionDepth);
    Graph graph;
    TAMIS_RETURN_IF_ERROR(Text(stored.name(), &graph.name));
    if (stored.opsets() != nullptr) {
      for (const fb::Opset* opset : *stored.opsets()) {
        std::string domain;
        TAMIS_RETURN_IF_ERROR(Text(opset->domain(), &domain));
        graph.opsets[domain] = opset->version();
      }
    }
    TAMIS_RETURN_IF_ERROR(Texts(stored.input_docs(), &graph.input_docs));
    if (stored.values() != nullptr) {
      for (const fb::Value* value : *stored.values()) TAMIS_RETURN_IF_ERROR(DecodeValue(*value, &graph));
    }
    TAMIS_RETURN_IF_ERROR(Ids(stored.inputs(), graph, false, &graph.inputs));
    TAMIS_RETURN_IF_ERROR(Ids(stored.outputs(), graph, false, &graph.outputs));
    if (stored.nodes() != nullptr) {
      for (const fb::Node* node : *stored.nodes()) TAMIS_RETURN_IF_ERROR(DecodeNode(*node, depth, &graph));
    }
    const Status verified = graph.Verify();
    if (!verified.ok()) return UserError("{}", verified.message());
    return graph;
  }

 private:
  Status Ids(const flatbuffers::Vector<int32_t>* stored, const Graph& graph, bool may_be_omitted,
             std::vector<ValueId>* ids) {
    TAMIS_RETURN_IF_ERROR(Numbers(stored, ids));
    for (ValueId id : *ids) {
      if (id == kNoValue && may_be_omitted) continue;
      if (id < 0 || static_cast<size_t>(id) >= graph.NumValues()) {
        return UserError("value number {} does not exist: the graph has {}", id, graph.NumValues());
      }
    }
    return {};
  }

  Result<Tensor> Load(const fb::Constant& stored, const std::string& name, uint64_t* hash) {
    if (stored.inline_data() != nullptr) TAMIS_RETURN_IF_ERROR(Charge(stored.inline_data()->size()));
    if (stored.strings() != nullptr) {
      for (const flatbuffers::String* text : *stored.strings()) TAMIS_RETURN_IF_ERROR(Charge(text->size() + 32));
    }
    return load_(stored, name, hash);
  }

  Status DecodeValue(const fb::Value& stored, Graph* graph) {
    TAMIS_RETURN_IF_ERROR(Charge(32));
    std::string name;
    TAMIS_RETURN_IF_ERROR(Text(stored.name(), &name));
    Type type;
    if (stored.type() != nullptr) TAMIS_RETURN_IF_ERROR(DecodeType(*stored.type(), 0, &type).WithContext(name));
    Value& value = graph->value(graph->AddValue(name, std::move(type)));
    if (stored.constant() != nullptr) {
      TAMIS_ASSIGN_OR_RETURN(Tensor tensor, Load(*stored.constant(), name, &value.constant_hash));
      // Readers of the graph trust the type: it must be the tensor's own.
      value.type = Type::Tensor(tensor.dtype(), ToShape(tensor.dims()));
      value.constant = std::move(tensor);
    }
    if (stored.has_contents()) {
      value.contents.emplace();
      TAMIS_RETURN_IF_ERROR(Dims(stored.contents(), &*value.contents).WithContext(name));
    }
    if (stored.origin() != nullptr) {
      if (stored.origin_transform() > static_cast<uint8_t>(WeightTransform::kOihwToOhwi)) {
        return UserError("value '{}' has weight transform {}, which this program does not know", name,
                         stored.origin_transform());
      }
      value.origin.emplace();
      value.origin->transform = static_cast<WeightTransform>(stored.origin_transform());
      TAMIS_RETURN_IF_ERROR(Text(stored.origin(), &value.origin->initializer));
    }
    if (stored.pattern() > static_cast<uint8_t>(Pattern::kTwoFour)) {
      return UserError("value '{}' has pattern {}, which this program does not know", name, stored.pattern());
    }
    value.pattern = static_cast<Pattern>(stored.pattern());
    return {};
  }

  Status DecodeNode(const fb::Node& stored, int depth, Graph* graph) {
    TAMIS_RETURN_IF_ERROR(Charge(32));
    Node node;
    TAMIS_RETURN_IF_ERROR(Text(stored.op(), &node.op));
    TAMIS_RETURN_IF_ERROR(Text(stored.domain(), &node.domain));
    TAMIS_RETURN_IF_ERROR(Text(stored.name(), &node.name));
    TAMIS_RETURN_IF_ERROR(Ids(stored.inputs(), *graph, true, &node.inputs));
    TAMIS_RETURN_IF_ERROR(Ids(stored.outputs(), *graph, true, &node.outputs));
    if (stored.attributes() != nullptr) {
      for (const fb::Attribute* attribute : *stored.attributes()) {
        std::string key;
        TAMIS_RETURN_IF_ERROR(Text(attribute->name(), &key));
        TAMIS_RETURN_IF_ERROR(DecodeAttribute(*attribute, key, &node.attributes[key]).WithContext(node.op));
      }
    }
    if (stored.regions() != nullptr) {
      for (const fb::Region* region : *stored.regions()) {
        if (region->body() == nullptr) return UserError("a region of {} has no body", node.op);
        Region& decoded = node.regions.emplace_back();
        TAMIS_RETURN_IF_ERROR(Text(region->name(), &decoded.name));
        TAMIS_RETURN_IF_ERROR(Ids(region->captures(), *graph, false, &decoded.captures));
        TAMIS_ASSIGN_OR_RETURN(Graph body, Decode(*region->body(), depth + 1));
        if (decoded.captures.size() > body.inputs.size()) {
          return UserError("a region of {} captures {} values but its body has {} inputs", node.op,
                           decoded.captures.size(), body.inputs.size());
        }
        decoded.body = std::make_unique<Graph>(std::move(body));
      }
    }
    graph->AddNode(std::move(node));
    return {};
  }

  Status DecodeAttribute(const fb::Attribute& stored, const std::string& key, Attribute* attribute) {
    std::vector<int64_t> ints;
    std::vector<float> floats;
    std::vector<std::string> strings;
    TAMIS_RETURN_IF_ERROR(Numbers(stored.ints(), &ints));
    TAMIS_RETURN_IF_ERROR(Numbers(stored.floats(), &floats));
    TAMIS_RETURN_IF_ERROR(Texts(stored.strings(), &strings));
    const Status no_value = UserError("attribute '{}' has no value", key);
    switch (stored.kind()) {
      case fb::AttributeKind::Int:
        if (ints.size() != 1) return no_value;
        *attribute = ints[0];
        return {};
      case fb::AttributeKind::Float:
        if (floats.size() != 1) return no_value;
        *attribute = floats[0];
        return {};
      case fb::AttributeKind::String:
        if (strings.size() != 1) return no_value;
        *attribute = std::move(strings[0]);
        return {};
      case fb::AttributeKind::Tensor: {
        if (stored.tensor() == nullptr) return no_value;
        uint64_t hash = 0;
        TAMIS_ASSIGN_OR_RETURN(*attribute, Load(*stored.tensor(), key, &hash));
        return {};
      }
      case fb::AttributeKind::Ints:
        *attribute = std::move(ints);
        return {};
      case fb::AttributeKind::Floats:
        *attribute = std::move(floats);
        return {};
      case fb::AttributeKind::Strings:
        *attribute = std::move(strings);
        return {};
    }
    return UserError("attribute '{}' is of kind {}, which this program does not know", key,
                     static_cast<int>(stored.kind()));
  }

  Status DecodeType(const fb::Type& stored, int depth, Type* type) {
    if (depth > 8) return UserError("its type is nested deeper than 8");
    if (stored.kind() > fb::TypeKind::Optional) {
      return UserError("its type is of kind {}, which this program does not know", static_cast<int>(stored.kind()));
    }
    type->kind = static_cast<Type::Kind>(stored.kind());
    type->dtype = static_cast<DType>(stored.dtype());
    if (type->dtype != DType::kUndefined && Name(type->dtype) == Name(DType::kUndefined)) {
      return UserError("its element type is number {}, which this program does not know", stored.dtype());
    }
    type->has_rank = stored.has_rank();
    TAMIS_RETURN_IF_ERROR(Dims(stored.shape(), &type->shape));
    if (type->shape.size() > kMaxRank) return UserError("its type has more than {} dimensions", kMaxRank);
    if (stored.element() != nullptr) {
      Type element;
      TAMIS_RETURN_IF_ERROR(DecodeType(*stored.element(), depth + 1, &element));
      type->element = std::make_shared<const Type>(std::move(element));
    }
    return {};
  }

  Status Dims(const flatbuffers::Vector<flatbuffers::Offset<fb::Dim>>* stored, std::vector<Dim>* dims) {
    if (stored == nullptr) return {};
    TAMIS_RETURN_IF_ERROR(Charge(stored->size() * 8));
    for (const fb::Dim* dim : *stored) {
      int factors = 0;
      TAMIS_RETURN_IF_ERROR(DecodeDim(*dim, 0, &factors, &dims->emplace_back()));
    }
    return {};
  }

  // Rebuilds the expression through Dim's own arithmetic. What it would simplify was never written by it: such input is
  // refused, which also keeps the arithmetic away from operands whose products could grow without bound.
  Status DecodeDim(const fb::Dim& stored, int depth, int* factors, Dim* dim) {
    constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();
    const Status refused = UserError("a dimension expression is malformed");
    if (depth > kMaxDimDepth) return UserError("a dimension is nested deeper than {}", kMaxDimDepth);
    *dim = Dim(stored.constant());
    if (stored.terms() == nullptr) return {};
    if (stored.constant() == kLowest) return refused;
    for (const fb::DimTerm* term : *stored.terms()) {
      if (term->factors() == nullptr || term->factors()->size() == 0) return refused;
      if (term->coefficient() == 0 || term->coefficient() == kLowest) return refused;
      Dim product(term->coefficient());
      for (const fb::DimFactor* factor : *term->factors()) {
        if (++*factors > kMaxDimFactors) return UserError("a dimension has more than {} factors", kMaxDimFactors);
        Dim decoded;
        TAMIS_RETURN_IF_ERROR(DecodeFactor(*factor, depth, factors, &decoded));
        const auto terms = decoded.Terms();
        if (terms.size() != 1 || terms[0].coefficient != 1 || terms[0].factors.size() != 1) return refused;
        product = product * decoded;
      }
      *dim = *dim + product;
    }
    if (dim->Terms().size() != stored.terms()->size() + (stored.constant() != 0 ? 1 : 0)) return refused;
    return {};
  }

  Status DecodeFactor(const fb::DimFactor& stored, int depth, int* factors, Dim* dim) {
    if (stored.op() == fb::DimOp::Symbol) {
      std::string symbol;
      TAMIS_RETURN_IF_ERROR(Text(stored.symbol(), &symbol));
      if (symbol.empty()) return UserError("a symbolic dimension has no name");
      *dim = Dim::Symbol(std::move(symbol));
      return {};
    }
    if (stored.a() == nullptr || stored.b() == nullptr) return UserError("a dimension's operation lacks an operand");
    Dim a, b;
    TAMIS_RETURN_IF_ERROR(DecodeDim(*stored.a(), depth + 1, factors, &a));
    TAMIS_RETURN_IF_ERROR(DecodeDim(*stored.b(), depth + 1, factors, &b));
    const auto divisor = b.Constant();
    // Two constants would be computed at once, except for a division by zero, which stays symbolic.
    if (a.IsConstant() && divisor && *divisor != 0) return UserError("a dimension expression is malformed");
    // Keys of operations spell their operands: the text is what the memory goes to.
    TAMIS_RETURN_IF_ERROR(Charge(a.ToString().size() + b.ToString().size()));
    switch (stored.op()) {
      case fb::DimOp::FloorDiv:
        *dim = Dim::FloorDiv(a, b);
        return {};
      case fb::DimOp::Mod:
        *dim = Dim::Mod(a, b);
        return {};
      case fb::DimOp::Min:
        *dim = Dim::Min(a, b);
        return {};
      case fb::DimOp::Max:
        *dim = Dim::Max(a, b);
        return {};
      case fb::DimOp::Symbol:
        break;
    }
    return UserError("a dimension has operation {}, which this program does not know", static_cast<int>(stored.op()));
  }

  const LoadConstant& load_;
};

}  // namespace

Result<Graph> DecodeGraph(const fb::Graph& graph, uint64_t metadata_bytes, const LoadConstant& load) {
  return GraphDecoder(metadata_bytes, load).Decode(graph, 0);
}

}  // namespace tamis
