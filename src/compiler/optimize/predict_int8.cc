#include "src/compiler/optimize/predict_int8.h"

#include "src/compiler/plan/layer_weight.h"
#include "src/compiler/quantize/quantize.h"
#include "src/kernels/problem.h"
#include "src/passes/pass.h"
#include "src/runtime/benchmark.h"
#include "src/runtime/specialize.h"

namespace tamis {

Result<Int8Prediction> PredictInt8(const Graph& simplified, const std::map<std::string, int64_t>& binding, Tuner& tuner,
                                   int threads) {
  Int8Prediction prediction;
  const auto inputs = RandomInputs(InputSpecs(simplified), binding, 1);
  if (!inputs.ok()) {
    prediction.reason = inputs.status().message();
    return prediction;
  }
  Graph graph = simplified.Clone();
  QuantizeOptions options;
  options.threads = threads;
  const std::vector<NamedTensors> batches = {*inputs};
  const auto report = Quantize(graph, batches, options);
  if (!report.ok()) {
    prediction.reason = report.status().message();
    return prediction;
  }
  prediction.layers = static_cast<int64_t>(report->layers.size());
  prediction.quantized = report->Quantized();
  for (const QuantizedLayer& layer : report->layers) prediction.layer_reasons[layer.name] = layer.reason;
  if (prediction.quantized == 0) {
    prediction.reason = "no layer of it becomes int8";
    return prediction;
  }
  TAMIS_ASSIGN_OR_RETURN(const Graph fused, Fuse(graph, PassOptions{}));
  TAMIS_ASSIGN_OR_RETURN(const Graph concrete, SpecializeAt(fused, binding));
  for (const NodeId id : concrete.NodeIds()) {
    const Node& node = concrete.node(id);
    if (IsView(node) || !IsConcrete(concrete, node)) continue;  // what depends on data has no time of its own
    TAMIS_ASSIGN_OR_RETURN(const Problem problem, MakeProblem(concrete, node, threads));
    TAMIS_ASSIGN_OR_RETURN(const TunedNode tuned, tuner.TimeProblem(problem));
    prediction.seconds += tuned.seconds;
    const bool coded = node.IsTamis("QuantizedLinear") || node.IsTamis("QuantizedConv");
    const ValueId weight = coded ? node.input(1) : kNoValue;
    if (weight == kNoValue || !concrete.value(weight).constant) continue;
    prediction.layer_seconds[NameBeforeQuantize(WeightName(concrete, weight))] += tuned.seconds;
  }
  return prediction;
}

}  // namespace tamis
