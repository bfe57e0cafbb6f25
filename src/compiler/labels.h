// The classes that samples belong to.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tamis/status.h"

namespace tamis {

// One class a sample from a .npy file of integers. Error (kUser) unless there are `samples` of them.
Result<std::vector<int64_t>> ReadLabels(const std::string& path, int64_t samples);

// Error (kUser) that says how many labels are outside [0, classes), which samples' and what would work. `output` is the
// name of the output whose `classes` columns they index. `class_names` are folder names, if labels come from those.
// Label i is sample i's, or sample `samples[i]`'s if there are any.
Status CheckLabels(std::span<const int64_t> labels, int64_t classes, const std::string& output,
                   std::span<const std::string> class_names, std::span<const int64_t> samples = {});

}  // namespace tamis
