#include "src/compiler/prune/prune_write_back.h"

#include <algorithm>

#include "src/base/tensor_store.h"

namespace tamis {
namespace {

// Elements of the transformed weight, rows [row_begin, row_begin + rows), into the origin's layout.
Status Untransform(const WeightLayer& layer, std::span<const float> rows, Tensor* original) {
  const int64_t row_begin = layer.origin.row_begin, count = layer.layout.rows, k = layer.layout.columns;
  float* out = original->Data<float>();
  const auto check = [&](int64_t total_rows, int64_t columns) -> Status {
    if (original->dtype() == DType::kFloat32 && columns == k && row_begin >= 0 && row_begin + count <= total_rows)
      return {};
    return InternalError("weight '{}' {} is not where its {} rows of {} came from", layer.initializer,
                         ToString(original->dims()), count, k);
  };
  switch (layer.origin.transform) {
    case WeightTransform::kNone: {
      TAMIS_RETURN_IF_ERROR(check(original->dim(0), original->NumElements() / std::max<int64_t>(1, original->dim(0))));
      std::copy(rows.begin(), rows.end(), out + row_begin * k);
      return {};
    }
    case WeightTransform::kTransposed2D: {
      TAMIS_RETURN_IF_ERROR(check(original->dim(1), original->dim(0)));
      const int64_t total = original->dim(1);
      for (int64_t n = 0; n < count; ++n) {
        for (int64_t i = 0; i < k; ++i) out[i * total + row_begin + n] = rows[static_cast<size_t>(n * k + i)];
      }
      return {};
    }
    case WeightTransform::kOihwToOhwi: {
      TAMIS_RETURN_IF_ERROR(check(original->dim(0), original->NumElements() / std::max<int64_t>(1, original->dim(0))));
      const int64_t channels = original->dim(1), window = k / channels;
      for (int64_t n = 0; n < count; ++n) {
        for (int64_t c = 0; c < channels; ++c) {
          for (int64_t p = 0; p < window; ++p) {
            out[(row_begin + n) * k + c * window + p] = rows[static_cast<size_t>(n * k + p * channels + c)];
          }
        }
      }
      return {};
    }
  }
  return InternalError("unknown weight transform");
}

void SetConstant(Value& value, Tensor tensor) {
  value.constant = std::move(tensor);
  value.pattern = Pattern::kDense;
  value.constant_hash = 0;
}

// Adds `delta` to elements [begin, begin + delta.size()) of input `input` of the node, which holds or will hold
// `outputs`.
void AddToBias(Graph& graph, NodeId id, size_t input, int64_t outputs, int64_t begin, std::span<const float> delta) {
  const ValueId old = graph.node(id).input(input);
  Tensor bias = old == kNoValue ? Tensor(DType::kFloat32, {outputs}) : graph.value(old).constant->Clone();
  for (size_t i = 0; i < delta.size(); ++i) bias.Data<float>()[begin + static_cast<int64_t>(i)] += delta[i];
  if (old != kNoValue && graph.Users()[static_cast<size_t>(old)].size() == 1) {
    SetConstant(graph.value(old), std::move(bias));
    return;
  }
  const std::string base = graph.value(graph.node(id).outputs[0]).name + "_bias";
  const ValueId fresh = graph.AddConstant(graph.FreshName(base), std::move(bias));
  auto& inputs = graph.node(id).inputs;
  inputs.resize(std::max(inputs.size(), input + 1), kNoValue);
  inputs[input] = fresh;
}

}  // namespace

Status WriteBack(const WeightLayer& layer, std::span<const float> weight, std::span<const float> bias_delta,
                 Graph& simplified, Graph& fused) {
  Value& fused_value = fused.value(layer.weight);
  SetConstant(fused_value, Tensor::Of<float>(DType::kFloat32, fused_value.constant->dims(), weight));
  const ValueId source = FindValue(simplified, layer.initializer);
  TAMIS_ASSERT(source != kNoValue);
  Tensor original = simplified.value(source).constant->Clone();
  TensorStore::Rest(*simplified.value(source).constant);
  TAMIS_RETURN_IF_ERROR(Untransform(layer, weight, &original));
  const int64_t all_rows = original.NumElements() / layer.layout.columns;
  SetConstant(simplified.value(source), std::move(original));
  if (bias_delta.empty()) return {};
  TAMIS_ASSERT(layer.bias && layer.users.size() == 1);
  AddToBias(simplified, layer.bias->node, layer.bias->input, all_rows, layer.origin.row_begin, bias_delta);
  AddToBias(fused, layer.users[0], 2, layer.layout.rows, 0, bias_delta);
  return {};
}

}  // namespace tamis
