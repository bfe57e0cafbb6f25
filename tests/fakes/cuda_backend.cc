// Stands in for libtamis_cuda.so on machines without a GPU: memory of the host of which there is as much as
// TAMIS_FAKE_GPU_BYTES says, a device called TAMIS_FAKE_GPU, and one kernel, "fake_keep", which computes Linear nodes
// of f32 without a bias from weights that it holds, and says that it takes a workspace of TAMIS_FAKE_GPU_WORKSPACE
// bytes. Work runs when it is enqueued, or is recorded. Waits between our streams and the caller's are written to the
// file TAMIS_FAKE_GPU_LOG.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "src/cuda/api.h"

struct TamisCudaKernel {
  void* weight = nullptr;
  int64_t rows = 0, outputs = 0, depth = 0;
};
using Work = std::vector<std::function<void()>>;
struct TamisCudaStream {
  bool recording = false;
  Work recorded;
};
struct TamisCudaGraph {
  Work work;
};
struct TamisCudaConstant {
  void* bytes = nullptr;
};

namespace {

std::mutex mutex;
std::map<void*, uint64_t> blocks;
uint64_t used = 0;

uint64_t Total() {
  const char* const bytes = std::getenv("TAMIS_FAKE_GPU_BYTES");
  return bytes == nullptr ? uint64_t{1} << 30 : std::strtoull(bytes, nullptr, 10);
}

template <class T>
T* Handle() {  // nobody looks inside
  return reinterpret_cast<T*>(new char);
}
template <class T>
void Drop(T* handle) {
  delete reinterpret_cast<char*>(handle);
}

int Enqueue(TamisCudaStream* stream, std::function<void()> work) {
  if (stream->recording) {
    stream->recorded.push_back(std::move(work));
  } else {
    work();
  }
  return 0;
}

int Log(const char* what, uint64_t native) {
  if (const char* const path = std::getenv("TAMIS_FAKE_GPU_LOG")) {
    std::FILE* const file = std::fopen(path, "a");
    std::fprintf(file, "%s %llu\n", what, static_cast<unsigned long long>(native));
    std::fclose(file);
  }
  return 0;
}

void Multiply(const TamisCudaKernel& kernel, const float* x, float* y) {
  const auto* weight = static_cast<const float*>(kernel.weight);
  for (int64_t i = 0; i < kernel.rows * kernel.outputs; ++i) {
    double sum = 0;
    for (int64_t k = 0; k < kernel.depth; ++k) {
      sum += static_cast<double>(x[i / kernel.outputs * kernel.depth + k]) *
             static_cast<double>(weight[i % kernel.outputs * kernel.depth + k]);
    }
    y[i] = static_cast<float>(sum);
  }
}

int Allocate(TamisCudaDevice*, uint64_t bytes, void** address, TamisCudaError* error) {
  std::lock_guard lock(mutex);
  if (used + bytes > Total()) {
    error->kind = 2;
    const std::string text = TAMIS_CUDA_NO_MEMORY ": " + std::to_string(bytes) + " were asked for, " +
                             std::to_string(Total() - used) + " of " + std::to_string(Total()) + " are free";
    std::strncpy(error->message, text.c_str(), sizeof(error->message) - 1);
    return 2;
  }
  *address = std::malloc(bytes + 1);
  blocks[*address] = bytes;
  used += bytes;
  return 0;
}

void Release(TamisCudaDevice*, void* address) {
  std::lock_guard lock(mutex);
  used -= blocks[address];
  blocks.erase(address);
  std::free(address);
}

int Describe(TamisCudaDevice*, TamisCudaDeviceInfo* info, TamisCudaError*) {
  const char* const name = std::getenv("TAMIS_FAKE_GPU");
  std::strncpy(info->name, name == nullptr ? "Fake" : name, sizeof(info->name) - 1);
  const char* const compute = std::getenv("TAMIS_FAKE_GPU_COMPUTE");  // 80 for 8.0
  const int number = compute == nullptr ? 90 : std::atoi(compute);
  info->compute_major = number / 10, info->compute_minor = number % 10;
  info->multiprocessors = 132;
  info->memory_bytes = Total();
  return 0;
}

int MemoryInfo(TamisCudaDevice*, uint64_t* free_bytes, uint64_t* total, TamisCudaError*) {
  std::lock_guard lock(mutex);
  *free_bytes = Total() - used;
  *total = Total();
  return 0;
}

int Candidates(TamisCudaDevice*, const TamisCudaProblem* problem, TamisCudaCandidateFn visit, void* context,
               TamisCudaError*) {
  constexpr int32_t kFloat32 = 1;  // as ONNX numbers it
  const bool computes = std::strcmp(problem->op, "Linear") == 0 && problem->inputs[0].dtype == kFloat32;
  if (computes) visit(context, "fake_keep", 1, "");
  return 0;
}

int Prepare(TamisCudaDevice* device, const TamisCudaProblem* problem, const char*, TamisCudaKernel** kernel,
            TamisCudaError* error) {
  uint64_t bytes = 4;
  for (uint32_t i = 0; i < problem->inputs[1].rank; ++i) bytes *= static_cast<uint64_t>(problem->inputs[1].dims[i]);
  TamisCudaKernel made;
  if (const int kind = Allocate(device, bytes, &made.weight, error); kind != 0) return kind;
  std::memcpy(made.weight, problem->inputs[1].constant, bytes);
  made.outputs = problem->inputs[1].dims[0], made.depth = problem->inputs[1].dims[1], made.rows = 1;
  for (uint32_t i = 0; i + 1 < problem->inputs[0].rank; ++i) made.rows *= problem->inputs[0].dims[i];
  *kernel = new TamisCudaKernel(made);
  return 0;
}

const TamisCudaApi kApi = {
    .size = sizeof(TamisCudaApi),
    .version = TAMIS_CUDA_API_VERSION,
    .device_count = [](int32_t* count, TamisCudaError*) { return *count = 1, 0; },
    .open_device = [](int32_t, TamisCudaDevice** device,
                      TamisCudaError*) { return *device = Handle<TamisCudaDevice>(), 0; },
    .close_device = Drop<TamisCudaDevice>,
    .describe_device = Describe,
    .memory_info = MemoryInfo,
    .allocate = Allocate,
    .release = Release,
    .allocate_pinned = [](TamisCudaDevice*, uint64_t bytes, void** address,
                          TamisCudaError*) { return *address = std::malloc(bytes), 0; },
    .release_pinned = [](TamisCudaDevice*, void* address) { std::free(address); },
    .create_stream = [](TamisCudaDevice*, TamisCudaStream** stream,
                        TamisCudaError*) { return *stream = new TamisCudaStream(), 0; },
    .destroy_stream = [](TamisCudaStream* stream) { delete stream; },
    .synchronize = [](TamisCudaStream*, TamisCudaError*) { return 0; },
    .copy = [](TamisCudaStream* stream, void* to, const void* from, uint64_t bytes, int32_t,
               TamisCudaError*) { return Enqueue(stream, [=] { std::memcpy(to, from, bytes); }); },
    .fill = [](TamisCudaStream*, void*, int32_t, uint64_t, TamisCudaError*) { return 0; },
    .begin_capture = [](TamisCudaStream* stream, TamisCudaError*) { return stream->recording = true, 0; },
    .end_capture =
        [](TamisCudaStream* stream, TamisCudaGraph** graph, TamisCudaError*) {
          stream->recording = false;
          *graph = new TamisCudaGraph{std::move(stream->recorded)};
          stream->recorded.clear();
          return 0;
        },
    .launch_graph =
        [](TamisCudaStream*, TamisCudaGraph* graph, TamisCudaError*) {
          for (const auto& work : graph->work) work();
          return 0;
        },
    .destroy_graph = [](TamisCudaGraph* graph) { delete graph; },
    .create_event = [](TamisCudaDevice*, TamisCudaEvent** event,
                       TamisCudaError*) { return *event = Handle<TamisCudaEvent>(), 0; },
    .destroy_event = Drop<TamisCudaEvent>,
    .record_event = [](TamisCudaStream*, TamisCudaEvent*, TamisCudaError*) { return 0; },
    .elapsed_seconds = [](TamisCudaEvent*, TamisCudaEvent*, double* seconds,
                          TamisCudaError*) { return *seconds = 1e-3, 0; },
    .candidates = Candidates,
    .prepare = Prepare,
    .describe_kernel =
        [](const TamisCudaKernel*, TamisCudaKernelFacts* facts) {
          const char* const workspace = std::getenv("TAMIS_FAKE_GPU_WORKSPACE");
          facts->packed_inputs = 2;
          facts->workspace_bytes = workspace == nullptr ? 0 : std::strtoull(workspace, nullptr, 10);
        },
    .enqueue =
        [](const TamisCudaKernel* kernel, TamisCudaStream* stream, const void* const* inputs, void* const* outputs,
           void*, TamisCudaError*) {
          const auto* x = static_cast<const float*>(inputs[0]);
          auto* y = static_cast<float*>(outputs[0]);
          return Enqueue(stream, [=] { Multiply(*kernel, x, y); });
        },
    .destroy_kernel =
        [](TamisCudaKernel* kernel) {
          Release(nullptr, kernel->weight);
          delete kernel;
        },
    .hold_constant =
        [](TamisCudaDevice* device, uint64_t, const void*, uint64_t count, TamisCudaConstant** constant,
           TamisCudaError* error) {
          TamisCudaConstant made;
          if (const int kind = Allocate(device, count, &made.bytes, error); kind != 0) return kind;
          return *constant = new TamisCudaConstant(made), 0;
        },
    .constant_address = [](const TamisCudaConstant* constant) -> const void* { return constant->bytes; },
    .drop_constant =
        [](TamisCudaConstant* constant) {
          Release(nullptr, constant->bytes);
          delete constant;
        },
    .libraries = [](TamisCudaDevice*, char* text, uint64_t size,
                    TamisCudaError*) { return std::strncpy(text, "none", size), 0; },
    .wait_for_native = [](TamisCudaStream*, uint64_t native, TamisCudaError*) { return Log("waits for", native); },
    .let_native_wait = [](TamisCudaStream*, uint64_t native, TamisCudaError*) { return Log("lets wait", native); },
};

}  // namespace

extern "C" __attribute__((visibility("default"))) const TamisCudaApi* tamis_cuda_api(uint32_t version) {
  return version == TAMIS_CUDA_API_VERSION ? &kApi : nullptr;
}
