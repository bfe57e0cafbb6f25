#include "src/cuda/nvml.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>

namespace tamis {
namespace {

// The part of nvml.h that is used here; the toolkit does not always bring that header.
using Device = struct NvmlDevice*;
using Sample = struct NvmlGpmSample*;
constexpr int kSuccess = 0;
constexpr unsigned kMetricSmUtil = 2, kMetricAnyTensorUtil = 5;

struct Memory {
  unsigned long long total, free, used;
};
struct GpmMetric {
  unsigned id;
  int status;
  double value;
  struct {
    char* short_name;
    char* long_name;
    char* unit;
  } info;
};
struct GpmMetrics {
  unsigned version;
  unsigned count;
  Sample begin, end;
  std::array<GpmMetric, 512> metrics;  // more than any version of the library has
};

struct Functions {
  int (*init)() = nullptr;
  int (*handle_by_bus_id)(const char*, Device*) = nullptr;
  int (*total_energy)(Device, unsigned long long*) = nullptr;
  int (*memory_info)(Device, Memory*) = nullptr;
  int (*sample_alloc)(Sample*) = nullptr;
  int (*sample_free)(Sample) = nullptr;
  int (*sample_get)(Device, Sample) = nullptr;
  int (*metrics_get)(GpmMetrics*) = nullptr;
};

template <class F>
void Find(void* library, const char* name, F* function) {
  *function = reinterpret_cast<F>(dlsym(library, name));
}

Result<const Functions*> Load() {
  static auto* const kLoaded = new Result<const Functions*>([]() -> Result<const Functions*> {
    void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return RuntimeError("NVML was not found: {}", dlerror());
    auto* functions = new Functions();
    Find(library, "nvmlInit_v2", &functions->init);
    Find(library, "nvmlDeviceGetHandleByPciBusId_v2", &functions->handle_by_bus_id);
    Find(library, "nvmlDeviceGetTotalEnergyConsumption", &functions->total_energy);
    Find(library, "nvmlDeviceGetMemoryInfo", &functions->memory_info);
    Find(library, "nvmlGpmSampleAlloc", &functions->sample_alloc);
    Find(library, "nvmlGpmSampleFree", &functions->sample_free);
    Find(library, "nvmlGpmSampleGet", &functions->sample_get);
    Find(library, "nvmlGpmMetricsGet", &functions->metrics_get);
    if (functions->init == nullptr || functions->handle_by_bus_id == nullptr) return RuntimeError("NVML is too old");
    if (const int code = functions->init(); code != kSuccess) return RuntimeError("NVML: nvmlInit gave {}", code);
    return functions;
  }());
  return *kLoaded;
}

}  // namespace

struct GpuMeter::State {
  const Functions* functions = nullptr;
  Device device = nullptr;
  Sample begin = nullptr, end = nullptr;
  bool sampling = false;
  std::optional<unsigned long long> energy;

  std::optional<unsigned long long> Energy() const {
    unsigned long long millijoules = 0;
    if (functions->total_energy == nullptr || functions->total_energy(device, &millijoules) != kSuccess) return {};
    return millijoules;
  }
  ~State() {
    if (begin != nullptr) functions->sample_free(begin);
    if (end != nullptr) functions->sample_free(end);
  }
};

GpuMeter::GpuMeter(std::unique_ptr<State> state) : state_(std::move(state)) {}
GpuMeter::~GpuMeter() = default;

Result<std::unique_ptr<GpuMeter>> GpuMeter::Open(const std::string& pci_bus_id) {
  TAMIS_ASSIGN_OR_RETURN(const Functions* functions, Load());
  auto state = std::make_unique<State>();
  state->functions = functions;
  if (const int code = functions->handle_by_bus_id(pci_bus_id.c_str(), &state->device); code != kSuccess) {
    return RuntimeError("NVML does not know the GPU at {} ({})", pci_bus_id, code);
  }
  if (functions->sample_alloc != nullptr && functions->sample_free != nullptr && functions->sample_get != nullptr &&
      functions->metrics_get != nullptr) {
    if (functions->sample_alloc(&state->begin) != kSuccess) state->begin = nullptr;
    if (functions->sample_alloc(&state->end) != kSuccess) state->end = nullptr;
  }
  return std::unique_ptr<GpuMeter>(new GpuMeter(std::move(state)));
}

void GpuMeter::Start() {
  State& s = *state_;
  s.sampling = s.begin != nullptr && s.end != nullptr && s.functions->sample_get(s.device, s.begin) == kSuccess;
  s.energy = s.Energy();
}

GpuActivity GpuMeter::Stop() {
  State& s = *state_;
  GpuActivity activity;
  const auto energy = s.Energy();
  if (energy && s.energy) activity.joules = static_cast<double>(*energy - *s.energy) * 1e-3;
  if (!s.sampling || s.functions->sample_get(s.device, s.end) != kSuccess) return activity;
  auto metrics = std::make_unique<GpmMetrics>();
  metrics->version = 1;
  metrics->count = 2;
  metrics->begin = s.begin;
  metrics->end = s.end;
  metrics->metrics[0].id = kMetricSmUtil;
  metrics->metrics[1].id = kMetricAnyTensorUtil;
  if (s.functions->metrics_get(metrics.get()) != kSuccess) return activity;
  if (metrics->metrics[0].status == kSuccess) activity.sm_active = metrics->metrics[0].value / 100;
  if (metrics->metrics[1].status == kSuccess) activity.tensor_active = metrics->metrics[1].value / 100;
  return activity;
}

std::optional<uint64_t> GpuMeter::UsedBytes() const {
  Memory memory{};
  if (state_->functions->memory_info == nullptr ||
      state_->functions->memory_info(state_->device, &memory) != kSuccess) {
    return {};
  }
  return memory.used;
}

}  // namespace tamis
