// One node bound to concrete shapes and to the kernel that computes it.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/kernels/problem.h"
#include "src/ops/op_def.h"

namespace tamis {

// Names the kernel a plan wants for a node; empty: no wish. Called with the name of the node's first output.
using KernelWish = std::function<std::string(const std::string& node)>;

// The kernel a node runs on: that of `wish` if it exists here and supports the problem, else the cost model's first
// choice, else null for the reference evaluation.
const KernelDef* ChooseKernel(const Problem& problem, const std::string& wish);

// Thread-safe after construction.
class PreparedNode {
 public:
  // `graph` and everything it owns must outlive the result.
  static Result<std::unique_ptr<PreparedNode>> Make(const Graph& graph, const Node& node, int threads,
                                                    const std::string& wish, PackCache& cache);

  size_t WorkspaceBytes() const { return kernel_ ? kernel_->WorkspaceBytes() : 0; }
  Status Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
             ThreadPool& pool) const;
  bool HasKernel() const { return kernel_ != nullptr; }
  uint32_t in_place() const { return in_place_; }  // KernelDef::in_place
  const std::string& tactic() const {
    return tactic_;
  }  // kernel name, perhaps with threads (kernel_threads.h), or "reference"
  const Problem& problem() const { return problem_; }

 private:
  PreparedNode() = default;
  Status RunReference(std::span<const void* const> inputs, std::span<void* const> outputs) const;

  Problem problem_;
  int64_t opset_ = 0;
  std::string tactic_;
  uint32_t in_place_ = 0;
  std::unique_ptr<PreparedKernel> kernel_;
};

}  // namespace tamis
