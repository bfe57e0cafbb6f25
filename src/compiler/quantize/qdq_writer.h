// Writes what was found of a network's int8 form into it, as QuantizeLinear and DequantizeLinear around its products.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "src/compiler/calibrate/calibrate.h"
#include "src/compiler/prune/prune.h"
#include "src/compiler/quantize/quantize_sites.h"
#include "src/ir/graph.h"
#include "src/passes/rewriter.h"
#include "src/quantize/observer.h"
#include "src/quantize/weight_codes.h"

namespace tamis {

inline constexpr std::string_view kCodesSuffix = "_codes";  // of a weight's codes, and of a product's in a fused graph
inline constexpr std::string_view kNumbersSuffix = "_dequantized";  // of what DequantizeLinear makes of them

// A vector of float32.
Tensor Floats(const std::vector<float>& values);

// What to write. All of it must outlive the writer.
struct QdqChoices {
  const std::map<ValueId, CodeMap>& maps;                 // of every activation that is coded
  const std::map<ValueId, TensorStatistics>& statistics;  // of the same
  const std::map<std::string, RoundedLayer>& rounded;     // weights that are codes times these scales already, by name
  bool clip_weights = true;                               // as of QuantizeOptions, for all others
  bool correct_bias = true;
};

class QdqWriter {
 public:
  QdqWriter(Graph& graph, const QdqChoices& choices) : graph_(graph), choices_(choices), rewriter_(graph) {}

  // Codes of the product's weight, in its bias the mean error that they make. The report gets that error.
  void QuantizeWeight(QuantizeProduct* product);
  // Every node that reads the value reads it by way of its codes; an output of the network stays what it is.
  void InsertCodes(ValueId value);

 private:
  std::vector<float> MeanErrors(const QuantizeProduct& product, const Tensor& rows, const WeightCodes& codes,
                                int64_t columns) const;
  void QuantizeBias(NodeId id, const std::string& name, std::vector<float> bias, const std::vector<float>& scales,
                    float x_scale);
  bool ShiftAddend(NodeId id, const std::vector<float>& shift);

  Graph& graph_;
  const QdqChoices choices_;
  Rewriter rewriter_;
};

}  // namespace tamis
