// KernelDef: code that computes nodes of one operator family for one ISA. One file per kernel defines one:
//
//   src/kernels/<family>/<isa>/<name>.cc   ->   extern const KernelDef kernel_<name>;
//
// <isa> is reference, avx2, avx512 or onednn. CMake collects the files by name and gives each the flags of its folder.
// File names are unique over all families. AVX files must not define inline functions or templates that other files
// also instantiate (the linker would keep one copy, perhaps with the wrong instructions): keep helpers in an anonymous
// namespace.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "src/base/cpu.h"
#include "src/base/thread_pool.h"
#include "src/ir/graph.h"
#include "src/kernels/pack_cache.h"
#include "tamis/status.h"

namespace tamis {

// One operand of a node with concrete dimensions.
struct Operand {
  DType dtype = DType::kUndefined;    // kUndefined: omitted
  Dims dims;                          // row-major, contiguous
  const Tensor* constant = nullptr;   // the elements, if known when the kernel is prepared
  uint64_t constant_hash = 0;         // HashTensor(*constant), 0 if not constant: the key of packed copies
  Pattern pattern = Pattern::kDense;  // of a constant

  bool Present() const { return dtype != DType::kUndefined; }
};

// A node with everything known that a kernel is chosen by.
struct Problem {
  const Node* node = nullptr;
  std::vector<Operand> inputs;
  std::vector<Operand> outputs;
  int threads = 1;

  const Operand& input(size_t i) const;  // an omitted one if out of range
};

// A kernel bound to one problem: weights packed, blocking fixed. Run is const and may be called by several threads at
// once with different buffers; it never allocates.
class PreparedKernel {
 public:
  virtual ~PreparedKernel() = default;
  // Scratch that Run needs, 64-byte aligned by the caller.
  virtual size_t WorkspaceBytes() const { return 0; }
  // inputs[i] is null for an omitted operand. Outputs never overlap inputs, but for what KernelDef::in_place allows.
  virtual void Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
                   ThreadPool& pool) const = 0;
  // Called before Run: refuses element values that Run could not stand (an index out of range). Cheap.
  virtual Status Check(std::span<const void* const> inputs) const;
};

// The least a CPU must have beyond its ISA level.
enum class CpuFeature : uint8_t { kNone, kAvxVnni, kAvx512Vnni, kAvx512Vbmi, kAvx512Bf16, kAmx };
bool MachineHas(CpuFeature feature);  // after TAMIS_ISA

struct KernelDef {
  std::string_view name;                // == file name; plans refer to it
  std::string_view family;              // == folder
  std::array<std::string_view, 6> ops;  // operators of domain "tamis" or "" that it computes; unused entries empty
  Isa isa = Isa::kX86_64;
  CpuFeature feature = CpuFeature::kNone;
  // OK, or why the kernel can't compute this problem (dtype, pattern, alignment). ISA and features are checked by
  // CandidateKernels, not here.
  Status (*supports)(const Problem&) = nullptr;
  // Predicted seconds on the present CPU with problem.threads threads; only the ranking matters.
  double (*cost)(const Problem&) = nullptr;
  Result<std::unique_ptr<PreparedKernel>> (*prepare)(const Problem&, PackCache&) = nullptr;
  // Bit i: output 0 may lie exactly where input i does, if both have the same dtype and dimensions. For kernels that
  // read what they overwrite (an element, or a row) before they write it, and never again.
  uint32_t in_place = 0;
};

std::span<const KernelDef* const> AllKernels();
const KernelDef* FindKernel(std::string_view name);

struct Refusal {
  const KernelDef* kernel;
  std::string reason;
};
// Kernels that can compute the problem on this CPU (after TAMIS_ISA), cheapest predicted first. `refused` (may be null)
// receives the others that name the operator, with the reason.
std::vector<const KernelDef*> CandidateKernels(const Problem& problem, std::vector<Refusal>* refused);

// The ISA cap handed to oneDNN (DNNL_MAX_CPU_ISA) must be set before its first call; main() does this through here.
void ConfigureLibraries();

}  // namespace tamis
