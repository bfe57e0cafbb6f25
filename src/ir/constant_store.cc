#include "src/ir/constant_store.h"

#include <utility>

#include "src/base/freed_memory.h"

namespace tamis {

void ConstantStore::Keep(Graph& graph) {
  size_t bytes = 0;
  for (size_t v = 0; v < graph.NumValues(); ++v) {
    const auto& constant = std::as_const(graph).value(static_cast<ValueId>(v)).constant;
    if (constant && constant->dtype() != DType::kString) bytes += constant->NumBytes();
  }
  if (bytes <= in_memory_ || full_) return;
  if (store_ == nullptr) {
    auto made = TensorStore::Make();
    full_ = !made.ok();
    if (full_) return;
    store_ = std::move(*made);
  }
  const FreedMemoryReturned returned;
  for (size_t v = 0; v < graph.NumValues() && !full_; ++v) {
    std::optional<Tensor>& constant = graph.value(static_cast<ValueId>(v)).constant;
    if (!constant) continue;
    auto kept = store_->Keep(*constant);
    full_ = !kept.ok();
    if (!full_) constant = std::move(*kept);
  }
}

void ConstantStore::Rest(const Graph& graph) {
  for (size_t v = 0; v < graph.NumValues(); ++v) {
    const auto& constant = graph.value(static_cast<ValueId>(v)).constant;
    if (constant) TensorStore::Rest(*constant);
  }
}

}  // namespace tamis
