#include "src/base/cpu.h"

#include <cpuid.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>

namespace tamis {
namespace {

std::optional<Isa> IsaFromName(const char* name) {
  for (Isa isa : {Isa::kX86_64, Isa::kAvx2, Isa::kAvx512}) {
    if (Name(isa) == name) return isa;
  }
  return std::nullopt;
}

// A bit of edx of leaf 7, which tells of tiles: 22 bf16, 24 that there are any, 25 bytes.
bool HasLeaf7Edx(int bit) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d >> bit & 1u) != 0;
}

// Asks for the use of tile registers: the system keeps them (XCR0), and Linux grants them to a process that asks, at
// the price of larger frames for signals (Documentation/arch/x86/xstate.rst). It refuses where an alternate signal
// stack is too small for those; a smaller one can't be set afterwards.
bool RequestTiles() {
  constexpr unsigned kTileState = 3U << 17;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM  NOLINT(google-runtime-int)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!HasLeaf7Edx(24) || __get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0) return false;
  unsigned low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & kTileState) == kTileState && syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

// A bit of eax of leaf 7, subleaf 1.
bool HasLeaf71(int bit) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> bit & 1u) != 0;
}

std::string ModelName() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("model name", 0) == 0 && line.find(':') != std::string::npos) return line.substr(line.find(':') + 2);
  }
  return "unknown x86-64";
}

int UsableCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int cores = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
  // cgroup v2: "max 100000" or "200000 100000" (quota and period in microseconds)
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (file >> quota >> period && quota != "max" && period > 0) {
    cores = std::min(cores, std::max(1, static_cast<int>(std::ceil(std::atof(quota.c_str()) / period))));
  }
  return std::max(cores, 1);
}

CpuInfo Detect() {
  CpuInfo info;
  info.model = ModelName();
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    info.isa = Isa::kAvx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
      info.isa = Isa::kAvx512;
    }
  }
  const char* cap = std::getenv("TAMIS_ISA");
  const auto most = cap != nullptr ? IsaFromName(cap) : std::nullopt;
  if (most) info.isa = std::min(info.isa, *most);
  info.avx_vnni = info.isa >= Isa::kAvx2 && HasLeaf71(4);
  if (info.isa == Isa::kAvx512) {
    info.avx512_vnni = __builtin_cpu_supports("avx512vnni");
    info.avx512_vbmi = __builtin_cpu_supports("avx512vbmi");
    info.avx512_bf16 = HasLeaf71(5);
    const bool tiles = info.avx512_bf16 && info.avx512_vbmi && HasLeaf7Edx(22) && HasLeaf7Edx(25);
    info.amx = tiles && !most && RequestTiles();
  }
  info.l2_bytes = std::max<int64_t>(sysconf(_SC_LEVEL2_CACHE_SIZE), 0);
  info.l3_bytes = std::max<int64_t>(sysconf(_SC_LEVEL3_CACHE_SIZE), 0);
  info.usable_cores = UsableCores();
  return info;
}

}  // namespace

std::string_view Name(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kX86_64:
      break;
  }
  return "x86-64";
}

const CpuInfo& Cpu() {
  static const CpuInfo kInfo = Detect();
  return kInfo;
}

Status CheckIsaVariable() {
  const char* cap = std::getenv("TAMIS_ISA");
  if (cap == nullptr || IsaFromName(cap)) return {};
  return UserError("TAMIS_ISA is '{}'; it takes avx512, avx2 or x86-64", cap);
}

std::string CpuInfo::Fingerprint() const {
  // For tests of what happens on another machine; nothing else may set it.
  if (const char* pretended = std::getenv("TAMIS_TEST_FINGERPRINT")) return pretended;
  std::string text = "cpu/" + model + "/" + std::string(Name(isa));
  if (avx512_vnni) text += "+vnni";
  if (avx512_bf16) text += "+bf16";
  if (amx) text += "+amx";
  return text;
}

}  // namespace tamis
