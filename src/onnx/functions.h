// Model-local functions, which are macros: every call becomes the nodes of the function's body.
#pragma once

#include <onnx-ml.pb.h>

#include "src/onnx/problems.h"
#include "tamis/status.h"

namespace tamis {

// Replaces the calls in the main graph and in all nested graphs; `model->functions` is empty afterwards. Values of a
// body get names that are used nowhere else in the model. Attribute references take the call's attribute, else the
// function's default, else they are dropped.
//
// Problems: a function that calls itself, one defined twice, one whose operator set differs from the model's (there is
// one meaning per operator in a graph; an older set will do where its operators are still the same), and a body that
// grows without measure.
void InlineFunctions(onnx::ModelProto* model, Problems* problems);

}  // namespace tamis
