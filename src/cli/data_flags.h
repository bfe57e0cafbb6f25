// --data and what goes with it, shared by the verbs that take samples.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "src/compiler/samples/data_source.h"
#include "src/compiler/verbs/sample_request.h"
#include "src/ir/graph.h"

namespace tamis {

struct DataFlags {
  std::string path, mean, std;
  int64_t image_size = 0;
  int64_t samples = 0;  // 0: all
};

void DeclareDataFlags(CLI::App& app, DataFlags* flags);
Result<SampleRequest> RequestOf(const DataFlags& flags);
Result<std::shared_ptr<const DataSource>> OpenData(const DataFlags& flags, const std::vector<TensorSpec>& inputs);
Result<std::shared_ptr<const DataSource>> OpenData(const DataFlags& flags, const Graph& graph);

}  // namespace tamis
