// What int8 would gain on this machine, measured before there are samples.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "src/ir/graph.h"
#include "src/tuner/tuner.h"

namespace tamis {

struct Int8Prediction {
  double seconds = 0;                 // of all nodes; 0: `reason` says why it is not known
  int64_t layers = 0, quantized = 0;  // weights of products, and how many of them become int8
  // Of every one: why it stays float; empty where it becomes int8.
  std::map<std::string, std::string> layer_reasons;
  std::map<std::string, double> layer_seconds;  // of those that do, at the shape
  std::string reason;
};

// Quantises a copy of `simplified` with ranges from random inputs, fuses it and times every node at `binding`. Codes
// take the same time whatever they stand for, so the ranges don't matter here. A network that can't be quantised is no
// error but has a reason.
Result<Int8Prediction> PredictInt8(const Graph& simplified, const std::map<std::string, int64_t>& binding, Tuner& tuner,
                                   int threads);

}  // namespace tamis
