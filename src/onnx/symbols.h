// The symbols of a model's dynamic dimensions.
#pragma once

#include <map>
#include <string>

#include "src/ir/dim.h"
#include "src/onnx/names.h"

namespace tamis {

// Turns dim_param strings into symbols. Exporters write whole expressions there ("2*s0 + 1"); as a symbol's name that
// would read like, and in the algebra of Dim collide with, a real expression, so everything but letters, digits, '_',
// '.', ':', '-' and '#' becomes '_'. Different strings stay different symbols.
//
// A symbol that no input of the model has is a size that data decides, and may be zero: its name ends in '?'.
class Symbols {
 public:
  enum class Of { kModelInput, kOther };  // whose dimension it is

  Dim FromParam(const std::string& param, Of of = Of::kOther);
  // A symbol of its own for dimension `axis` of a value that the file gives neither a number nor a name.
  Dim Fresh(const std::string& value_name, int axis, Of of);
  // Call for every dim_param of the model before the first Fresh, so that no fresh name repeats one, and first for
  // those of its inputs.
  void Reserve(const std::string& param, Of of) { FromParam(param, of); }

 private:
  std::map<std::string, std::string> by_param_;
  NameSet taken_;
};

}  // namespace tamis
