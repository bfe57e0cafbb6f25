// --data and what goes with it, shared by prune, compare and optimize.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <span>
#include <string>

#include "src/compiler/data_source.h"
#include "src/ir/graph.h"

namespace tamis {

struct DataFlags {
  std::string path, mean, std;
  int64_t image_size = 0;
  int64_t samples = 0;  // 0: all
};

void DeclareDataFlags(CLI::App& app, DataFlags* flags);
Result<std::shared_ptr<const DataSource>> OpenData(const DataFlags& flags, const std::vector<TensorSpec>& inputs);
Result<std::shared_ptr<const DataSource>> OpenData(const DataFlags& flags, const Graph& graph);

// Prints a notice for everything that is odd about the samples (src/compiler/check_samples.h).
Status NoticeOddSamples(const Graph& simplified, std::span<const NamedTensors> batches, int threads);

}  // namespace tamis
