#include "src/kernels/kernel.h"

#include <algorithm>
#include <cstdlib>
#include <unordered_map>

#include "src/kernels/kernel_switches.h"
#include "src/kernels/kernel_threads.h"

namespace tamis {

#define TAMIS_KERNEL(name) extern const KernelDef kernel_##name;
#include "src/kernels/kernels_list.inc"
#undef TAMIS_KERNEL

namespace {

std::string_view Name(CpuFeature feature) {
  switch (feature) {
    case CpuFeature::kAvxVnni:
      return "AVX_VNNI";
    case CpuFeature::kAvx512Vnni:
      return "AVX512_VNNI";
    case CpuFeature::kAvx512Vbmi:
      return "AVX512_VBMI";
    case CpuFeature::kAvx512Bf16:
      return "AVX512_BF16";
    case CpuFeature::kAmx:
      return "AMX (tiles of bf16 and of bytes), and the system's leave to use it";
    case CpuFeature::kNone:
      break;
  }
  return "nothing";
}

Status CheckCpu(const KernelDef& kernel) {
  const CpuInfo& cpu = Cpu();
  if (kernel.isa > cpu.isa) return UserError("needs {}, this machine runs at {}", Name(kernel.isa), Name(cpu.isa));
  if (!MachineHas(kernel.feature)) return UserError("needs {}", Name(kernel.feature));
  if (SwitchedOff(kernel.name)) return UserError("TAMIS_WITHOUT_KERNELS switches it off");
  return {};
}

// By operator, in the order of the list.
const std::vector<const KernelDef*>& KernelsOf(std::string_view op) {
  static const auto kByOperator = [] {
    std::unordered_map<std::string_view, std::vector<const KernelDef*>> kernels;
    for (const KernelDef* kernel : AllKernels()) {
      for (const std::string_view name : kernel->ops) {
        if (!name.empty()) kernels[name].push_back(kernel);
      }
    }
    return kernels;
  }();
  static const std::vector<const KernelDef*> kNone;
  const auto found = kByOperator.find(op);
  return found == kByOperator.end() ? kNone : found->second;
}

}  // namespace

// Here and not in the header: the copy that a linker keeps must be none for a greater processor.
Status PreparedKernel::Check(std::span<const void* const> /*inputs*/) const {
  return {};
}

bool MachineHas(CpuFeature feature) {
  switch (feature) {
    case CpuFeature::kAvxVnni:
      return Cpu().avx_vnni;
    case CpuFeature::kAvx512Vnni:
      return Cpu().avx512_vnni;
    case CpuFeature::kAvx512Vbmi:
      return Cpu().avx512_vbmi;
    case CpuFeature::kAvx512Bf16:
      return Cpu().avx512_bf16;
    case CpuFeature::kAmx:
      return Cpu().amx;
    case CpuFeature::kNone:
      break;
  }
  return true;
}

std::span<const KernelDef* const> AllKernels() {
  static const std::vector<const KernelDef*> kKernels = {
#define TAMIS_KERNEL(name) &kernel_##name,
#include "src/kernels/kernels_list.inc"
#undef TAMIS_KERNEL
  };
  return kKernels;
}

// The kernel of a tactic's name (kernel_threads.h).
const KernelDef* FindKernel(std::string_view name) {
  name = SplitThreads(name).kernel;
  for (const KernelDef* kernel : AllKernels()) {
    if (kernel->name == name) return kernel;
  }
  return nullptr;
}

std::vector<const KernelDef*> CandidateKernels(const Problem& problem, std::vector<Refusal>* refused) {
  std::vector<std::pair<double, const KernelDef*>> costed;
  for (const KernelDef* kernel : KernelsOf(problem.node->op)) {
    Status status = CheckCpu(*kernel);
    if (status.ok()) status = kernel->supports(problem);
    if (status.ok()) {
      costed.emplace_back(kernel->cost(problem), kernel);
    } else if (refused != nullptr) {
      refused->push_back({kernel, status.message()});
    }
  }
  std::stable_sort(costed.begin(), costed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<const KernelDef*> kernels;
  for (const auto& [cost, kernel] : costed) kernels.push_back(kernel);
  return kernels;
}

void ConfigureLibraries() {
  const auto capped_to = [](Isa isa) -> const char* {
    switch (isa) {
      case Isa::kX86_64:
        return "SSE41";
      case Isa::kAvx2:
        return "AVX2";
      case Isa::kAvx512:
        break;
    }
    return std::getenv("TAMIS_ISA") != nullptr ? "AVX512_CORE_BF16" : nullptr;  // all but AMX
  };
  if (const char* isa = capped_to(Cpu().isa)) setenv("DNNL_MAX_CPU_ISA", isa, 1);
}

}  // namespace tamis
