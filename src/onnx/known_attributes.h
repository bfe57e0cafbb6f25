// Which attributes the operators of ai.onnx have.
#pragma once

#include <string_view>

namespace tamis {

// False if no version of the operator has the attribute. True for operators that are not listed.
bool IsKnownAttribute(std::string_view op, std::string_view attribute);

}  // namespace tamis
