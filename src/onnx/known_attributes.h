// Which attributes the operators of ai.onnx have, and of which types.
#pragma once

#include <optional>
#include <string_view>

namespace tamis {

// One letter a type: i integer, f float, s string, t tensor, p sparse tensor, g graph, y type; I, F and S lists of
// such.
inline constexpr std::string_view kAnyAttributeType = "ifstpgyIFS";

// The types that the attribute may have; nullopt if no version of the operator has it. All for operators that are not
// listed.
std::optional<std::string_view> AttributeTypes(std::string_view op, std::string_view attribute);

}  // namespace tamis
