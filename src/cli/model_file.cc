#include "src/cli/model_file.h"

#include "src/cli/verb.h"
#include "src/runtime/tensor_specs.h"

namespace tamis {

Result<OpenedModel> OpenModel(const std::string& path, const BuildOptions& options, SessionOptions session_options) {
  ModelSource source;
  source.path = path;
  TAMIS_ASSIGN_OR_RETURN(OpenedModel model, OpenModel(source, options, std::move(session_options)));
  for (const std::string& notice : model.notices) PrintNotice(notice);
  return model;
}

Result<std::map<std::string, int64_t>> ShapeBinding(const OpenedModel& model, const std::vector<std::string>& shapes) {
  std::map<std::string, int64_t> binding;
  for (const std::string& shape : shapes) {
    const size_t equals = shape.find('=');
    if (equals == std::string::npos) return UserError("--shape '{}' should read input=1x3x224x224", shape);
    const std::string name = shape.substr(0, equals);
    TAMIS_ASSIGN_OR_RETURN(const Dims dims, ParseDims(shape.substr(equals + 1)));
    const auto& specs = model.session->inputs();
    const TensorSpec* const spec = FindSpec(specs, name);
    if (spec == nullptr) {
      return UserError("--shape names input '{}'; '{}' has {}", name, model.path, NamesOf(specs));
    }
    if (spec->dims.size() != dims.size()) {
      return UserError("--shape {}: '{}' has {} dimensions", shape, name, spec->dims.size());
    }
    for (size_t axis = 0; axis < dims.size(); ++axis) {
      if (spec->dims[axis] >= 0) {
        if (spec->dims[axis] != dims[axis]) {
          return UserError("--shape {}: dimension {} of '{}' is fixed at {}", shape, axis, name, spec->dims[axis]);
        }
        continue;
      }
      const auto [it, inserted] = binding.emplace(spec->dim_names[axis], dims[axis]);
      if (it->second != dims[axis]) {
        return UserError("--shape gives '{}' two values, {} and {}", it->first, it->second, dims[axis]);
      }
    }
  }
  if (!model.engine->plans.empty()) {
    for (const auto& [symbol, range] : model.engine->plans.front().profile) binding.try_emplace(symbol, range.opt);
  }
  return binding;
}

}  // namespace tamis
