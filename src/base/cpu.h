// What this processor can do, capped by the environment variable TAMIS_ISA (avx512 | avx2 | x86-64): AMX
// has no name there, it counts where nothing caps.
#pragma once

#include <cstdint>
#include <string>

#include "tamis/status.h"

namespace tamis {

// Instruction sets that kernels are written for, each including the ones before it.
enum class Isa : uint8_t {
  kX86_64,  // SSE2 only: what every 64-bit x86 machine has
  kAvx2,    // AVX2, FMA, F16C
  kAvx512,  // AVX-512 F, BW, DQ, VL
};
std::string_view Name(Isa isa);

struct CpuInfo {
  std::string model;         // as /proc/cpuinfo says it
  Isa isa = Isa::kX86_64;    // highest usable here, after the cap
  bool avx_vnni = false;     // in vectors of 256 bits, as processors without AVX-512 have it; needs kAvx2 after the cap
  bool avx512_vnni = false;  // this and the following need kAvx512
  bool avx512_vbmi = false;  // permutations of bytes
  bool avx512_bf16 = false;  // multiplies bf16 pairs
  // Multiplies tiles of bf16 and of bytes, has both of the above beside them, and the system lets this process use
  // them.
  bool amx = false;
  int64_t l2_bytes = 0;             // of one core
  int64_t l3_bytes = 0;             // shared
  int usable_cores = 1;             // affinity mask and cgroup quota counted
  std::string Fingerprint() const;  // stable text that plans are keyed by: model, ISA, features
};

// Read once. An unknown TAMIS_ISA is reported by CheckIsaVariable and otherwise ignored.
const CpuInfo& Cpu();
// Error of kind kUser naming the allowed values when TAMIS_ISA holds something else.
Status CheckIsaVariable();

}  // namespace tamis
