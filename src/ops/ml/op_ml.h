// What the operators of ai.onnx.ml share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/ops/op_bind.h"

namespace tamis {

inline constexpr std::string_view kMlDomain = "ai.onnx.ml";

// An attribute that is a list of strings; empty where there is none.
inline const std::vector<std::string>& StringsOf(const Node& node, const std::string& name) {
  static const std::vector<std::string> kNone;
  const auto found = node.attributes.find(name);
  const auto* list = found == node.attributes.end() ? nullptr : std::get_if<std::vector<std::string>>(&found->second);
  return list != nullptr ? *list : kNone;
}

// The rows of an operand [N, C], or [C], which is one row; an error if it has another rank or, where `columns` is not
// negative, another number of columns. Nothing if the rank is not known.
inline Result<std::optional<Dim>> RowsOf(const InferContext& context, int64_t columns) {
  const Shape* shape = context.InputShape(0);
  if (shape == nullptr) return std::optional<Dim>();
  if (shape->size() != 1 && shape->size() != 2) {
    return context.Error(fmt::format("input 0 is {}, must be [N, C] or [C]", ToString(*shape)));
  }
  const Dim& last = shape->back();
  if (columns >= 0 && last.IsConstant() && last != Dim(columns)) {
    return context.Error(fmt::format("input 0 is {}; the model has {} features", ToString(*shape), columns));
  }
  return std::optional(shape->size() == 2 ? shape->front() : Dim(1));
}

}  // namespace tamis
