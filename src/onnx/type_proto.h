// TypeProto <-> Type.
#pragma once

#include <onnx-ml.pb.h>

#include <string>

#include "src/ir/type.h"
#include "src/onnx/symbols.h"
#include "tamis/status.h"

namespace tamis {

// The declared type of the value `name`. A dimension with neither number nor name gets a symbol of its own. Errors:
// unsupported element types, maps and sparse tensors, dimensions that are negative or whose product is too large.
Result<Type> ReadType(const onnx::TypeProto& proto, const std::string& name, Symbols* symbols,
                      Symbols::Of of = Symbols::Of::kOther);

// The product of the constant dimensions must stay below kMaxElements; others count as 1.
Status CheckShape(const Shape& shape);

void WriteType(const Type& type, onnx::TypeProto* proto);

}  // namespace tamis
