// Bounds on the strings of a model.
#pragma once

#include <onnx-ml.pb.h>

#include <cstddef>

#include "src/onnx/problems.h"

namespace tamis {

// Names and what is written like one: of graphs, nodes, values, attributes, operators, domains and dimensions. Passes
// and shape rules make longer names of them, and messages print them.
inline constexpr size_t kMaxNameBytes = 4096;
// Texts: documentation, metadata, one string of an attribute or of a tensor.
inline constexpr size_t kMaxTextBytes = size_t{16} << 20;

// Adds a problem for each string that is too long, with where it is.
void CheckStrings(const onnx::ModelProto& model, Problems* problems);

}  // namespace tamis
