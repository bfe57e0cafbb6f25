// The classes that samples belong to.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/compiler/samples/data_source.h"
#include "tamis/status.h"

namespace tamis {

// One class a sample from a .npy file of integers. Error (kUser) unless there are `samples` of them.
Result<std::vector<int64_t>> ReadLabels(const std::string& path, int64_t samples);

// Where a verb takes labels from: the classes themselves, a .npy file, "none" (there are to be none), or (neither
// given) the data.
struct LabelRequest {
  std::string file = {};
  std::optional<std::vector<int64_t>> classes = {};
};
// The source with the labels that the request asks for: one for each sample, or none. Error (kUser) where their number
// is another.
Result<std::shared_ptr<const DataSource>> WithLabels(std::shared_ptr<const DataSource> source,
                                                     const LabelRequest& request);

// Error (kUser) that says how many labels are outside [0, classes), which samples' and what would work. `output` is the
// name of the output whose `classes` columns they index. `class_names` are folder names, if labels come from those.
// Label i is sample i's, or sample `samples[i]`'s if there are any.
Status CheckLabels(std::span<const int64_t> labels, int64_t classes, const std::string& output,
                   std::span<const std::string> class_names, std::span<const int64_t> samples = {});

}  // namespace tamis
