// The files that a verb is to write, looked at before its long work.
#pragma once

#include <string>
#include <vector>

#include "tamis/status.h"

namespace tamis {

// OK if each of `targets` can be written (AtomicFile), is none of the ONNX models that are read, also by another name,
// and no other target. An engine may be written over: it is read whole, and building one anew is how it is tuned. Empty
// names don't count. Errors are kUser where a name is wrong, kRuntime where the system refuses.
Status CheckTargets(const std::vector<std::string>& targets, const std::vector<std::string>& models);

// OK if none of `targets`, the files that are to be written, is one of the files beside the model that its weights were
// read from (Network::weight_files).
Status CheckWeightsStay(const std::vector<std::string>& targets, const std::vector<std::string>& weight_files);

}  // namespace tamis
