// What a value may be: a tensor, a sequence or an optional of types, as ONNX has them.
#pragma once

#include <memory>
#include <string>

#include "src/ir/dim.h"
#include "tamis/dtype.h"

namespace tamis {

struct Type {
  enum class Kind { kTensor, kSequence, kOptional };
  Kind kind = Kind::kTensor;
  DType dtype = DType::kUndefined;      // of a tensor
  bool has_rank = false;                // a tensor of unknown rank has no shape
  Shape shape;                          // of a tensor with has_rank
  std::shared_ptr<const Type> element;  // of a sequence or optional

  static Type Tensor(DType dtype, Shape shape) {
    Type type;
    type.dtype = dtype;
    type.has_rank = true;
    type.shape = std::move(shape);
    return type;
  }
  bool IsTensor() const { return kind == Kind::kTensor; }
  // "float32[batch, 384]"
  std::string ToString() const;
};

}  // namespace tamis
