#include "src/cli/engine_layers.h"

#include <map>

#include "src/compiler/plan/layer_weight.h"
#include "src/compiler/quantize/quantize.h"
#include "src/tuner/problem_text.h"

namespace tamis {
namespace {

struct Seen {
  std::string type, pattern;
};

std::string PatternOf(const Value& weight) {
  if (weight.pattern == Pattern::kDense) return "dense";
  return HasPairs(*weight.constant) ? "paired 2:4" : "2:4";
}

}  // namespace

std::vector<EngineLayer> EngineLayers(const Engine& engine) {
  std::vector<std::string> order;
  std::map<std::string, Seen> seen;
  for (const NodeId id : engine.fused.NodeIds()) {
    const Node& node = engine.fused.node(id);
    const bool int8 =
        node.IsTamis("QuantizedLinear") || node.IsTamis("QuantizedConv") || node.IsTamis("DynamicQuantizedLinear");
    const ValueId weight = int8 ? node.input(1) : LayerWeight(engine.fused, node);
    if (weight == kNoValue || !engine.fused.value(weight).constant) continue;
    const Value& value = engine.fused.value(weight);
    const std::string name = int8 ? NameBeforeQuantize(value.name) : WeightName(engine.fused, weight);
    const std::string type(int8 ? "int8" : Name(value.type.dtype));
    if (seen.emplace(name, Seen{type, PatternOf(value)}).second) order.push_back(name);
  }
  std::vector<EngineLayer> layers;
  for (const LayerRecord& record : engine.provenance.layers) {
    EngineLayer& layer = layers.emplace_back(EngineLayer{record, ""});
    const auto found = seen.find(record.name);
    if (found == seen.end()) continue;
    layer.type = found->second.type;
    layer.record.pattern = found->second.pattern;
  }
  if (!layers.empty()) return layers;
  for (const std::string& name : order) {
    LayerRecord record;
    record.name = name;
    record.pattern = seen.at(name).pattern;
    layers.push_back({std::move(record), seen.at(name).type});
  }
  return layers;
}

}  // namespace tamis
