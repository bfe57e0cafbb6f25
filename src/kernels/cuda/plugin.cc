// libtamis_cuda.so seen from outside: the table of src/cuda/api.h.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "src/cuda/api.h"
#include "src/kernels/cuda/open_device.h"
#include "src/kernels/cuda/problem_decode.h"
#include "src/kernels/cuda/stream_wait.h"

struct TamisCudaDevice {
  std::shared_ptr<tamis::cuda::OpenDevice> open;
};
struct TamisCudaStream {
  std::shared_ptr<tamis::cuda::OpenDevice> open;
  cudaStream_t stream = nullptr;
  tamis::cuda::StreamWaiter waiter;
};
struct TamisCudaGraph {
  std::shared_ptr<tamis::cuda::OpenDevice> open;
  cudaGraphExec_t exec = nullptr;
};
struct TamisCudaEvent {
  std::shared_ptr<tamis::cuda::OpenDevice> open;
  cudaEvent_t event = nullptr;
};
struct TamisCudaKernel {
  std::shared_ptr<tamis::cuda::OpenDevice> open;
  std::unique_ptr<tamis::cuda::DecodedProblem> problem;
  std::unique_ptr<tamis::cuda::CudaKernel> kernel;
};
struct TamisCudaConstant {
  std::shared_ptr<tamis::cuda::OpenDevice> open;
  std::shared_ptr<const tamis::cuda::DeviceBytes> bytes;
};

namespace tamis::cuda {

#define TAMIS_CUDA_KERNEL(name) extern const CudaKernelDef cuda_kernel_##name;
#include "src/kernels/cuda/cuda_kernels_list.inc"
#undef TAMIS_CUDA_KERNEL

std::span<const CudaKernelDef* const> AllCudaKernels() {
  static const std::vector<const CudaKernelDef*> kKernels = [] {
    std::vector<const CudaKernelDef*> kernels = {
#define TAMIS_CUDA_KERNEL(name) &cuda_kernel_##name,
#include "src/kernels/cuda/cuda_kernels_list.inc"
#undef TAMIS_CUDA_KERNEL
    };
    std::stable_sort(kernels.begin(), kernels.end(),
                     [](const auto* a, const auto* b) { return a->preference < b->preference; });
    return kernels;
  }();
  return kKernels;
}

namespace {

// Runs `work`, which returns a Status, and reports it; no exception leaves the library.
template <class F>
int Report(TamisCudaError* error, F&& work) {
  Status status;
  try {
    status = work();
  } catch (const std::bad_alloc&) {
    status = RuntimeError("not enough host memory");
  } catch (const std::exception& exception) {
    status = InternalError("{}", exception.what());
  }
  if (status.ok()) return 0;
  const int kind = static_cast<int>(status.kind()) + 1;
  if (error != nullptr) {
    error->kind = kind;
    const size_t length = std::min(status.message().size(), sizeof(error->message) - 1);
    std::memcpy(error->message, status.message().data(), length);
    error->message[length] = '\0';
  }
  return kind;
}

void CopyText(const std::string& from, char* to, size_t size) {
  const size_t length = std::min(from.size(), size - 1);
  std::memcpy(to, from.data(), length);
  to[length] = '\0';
}

int DeviceCount(int32_t* count, TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    int found = 0;
    TAMIS_CUDA_RETURN_IF_ERROR(cudaGetDeviceCount(&found));
    *count = found;
    return {};
  });
}

int OpenDeviceByOrdinal(int32_t ordinal, TamisCudaDevice** device, TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    TAMIS_ASSIGN_OR_RETURN(auto open, OpenDevice::Get(ordinal));
    *device = new TamisCudaDevice{std::move(open)};
    return {};
  });
}

void CloseDevice(TamisCudaDevice* device) {
  delete device;
}

int DescribeDevice(TamisCudaDevice* device, TamisCudaDeviceInfo* info, TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    TAMIS_RETURN_IF_ERROR(device->open->Use());
    const cudaDeviceProp& properties = device->open->properties();
    info->ordinal = device->open->device().ordinal;
    CopyText(properties.name, info->name, sizeof(info->name));
    TAMIS_CUDA_RETURN_IF_ERROR(cudaDeviceGetPCIBusId(info->pci_bus_id, sizeof(info->pci_bus_id), info->ordinal));
    info->compute_major = properties.major;
    info->compute_minor = properties.minor;
    info->multiprocessors = properties.multiProcessorCount;
    info->memory_bytes = properties.totalGlobalMem;
    info->l2_bytes = static_cast<uint64_t>(properties.l2CacheSize);
    TAMIS_CUDA_RETURN_IF_ERROR(cudaDriverGetVersion(&info->driver_version));
    TAMIS_CUDA_RETURN_IF_ERROR(cudaRuntimeGetVersion(&info->runtime_version));
    return {};
  });
}

int MemoryInfo(TamisCudaDevice* device, uint64_t* free_bytes, uint64_t* total_bytes, TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    TAMIS_RETURN_IF_ERROR(device->open->Use());
    size_t free = 0, total = 0;
    TAMIS_CUDA_RETURN_IF_ERROR(cudaMemGetInfo(&free, &total));
    *free_bytes = free;
    *total_bytes = total;
    return {};
  });
}

int Allocate(TamisCudaDevice* device, uint64_t bytes, void** address, TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    TAMIS_RETURN_IF_ERROR(device->open->Use());
    TAMIS_ASSIGN_OR_RETURN(*address, AllocateOnDevice(bytes));
    return {};
  });
}

void Release(TamisCudaDevice* device, void* address) {
  if (device->open->Use().ok()) cudaFree(address);
}

int AllocatePinned(TamisCudaDevice* device, uint64_t bytes, void** address, TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    TAMIS_RETURN_IF_ERROR(device->open->Use());
    const cudaError_t error = cudaHostAlloc(address, bytes, cudaHostAllocDefault);
    if (error == cudaErrorMemoryAllocation) {  // of the host, unlike everywhere else
      cudaGetLastError();
      return RuntimeError("not enough host memory: {:.1f} MB of pinned memory were asked for",
                          static_cast<double>(bytes) / 1e6);
    }
    return CudaStatus(error, "cudaHostAlloc");
  });
}

void ReleasePinned(TamisCudaDevice* device, void* address) {
  if (device->open->Use().ok()) cudaFreeHost(address);
}

int CreateStream(TamisCudaDevice* device, TamisCudaStream** stream, TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    TAMIS_RETURN_IF_ERROR(device->open->Use());
    auto made = std::make_unique<TamisCudaStream>();
    made->open = device->open;
    TAMIS_CUDA_RETURN_IF_ERROR(cudaStreamCreateWithFlags(&made->stream, cudaStreamNonBlocking));
    *stream = made.release();
    return {};
  });
}

void DestroyStream(TamisCudaStream* stream) {
  if (stream->open->Use().ok()) cudaStreamDestroy(stream->stream);
  delete stream;
}

int Synchronize(TamisCudaStream* stream, TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    TAMIS_RETURN_IF_ERROR(stream->open->Use());
    return stream->waiter.Wait(stream->stream);
  });
}

int Copy(TamisCudaStream* stream, void* to, const void* from, uint64_t bytes, int32_t direction,
         TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    constexpr cudaMemcpyKind kKinds[] = {cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice};
    TAMIS_RETURN_IF_ERROR(stream->open->Use());
    return CudaStatus(cudaMemcpyAsync(to, from, bytes, kKinds[direction], stream->stream), "cudaMemcpyAsync");
  });
}

int Fill(TamisCudaStream* stream, void* to, int32_t byte, uint64_t bytes, TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    TAMIS_RETURN_IF_ERROR(stream->open->Use());
    return CudaStatus(cudaMemsetAsync(to, byte, bytes, stream->stream), "cudaMemsetAsync");
  });
}

int BeginCapture(TamisCudaStream* stream, TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    TAMIS_RETURN_IF_ERROR(stream->open->Use());
    return CudaStatus(cudaStreamBeginCapture(stream->stream, cudaStreamCaptureModeThreadLocal), "starting a capture");
  });
}

int EndCapture(TamisCudaStream* stream, TamisCudaGraph** graph, TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    cudaGraph_t captured = nullptr;
    TAMIS_RETURN_IF_ERROR(CudaStatus(cudaStreamEndCapture(stream->stream, &captured), "ending a capture"));
    auto made = std::make_unique<TamisCudaGraph>();
    made->open = stream->open;
    const cudaError_t result = cudaGraphInstantiate(&made->exec, captured, 0);
    cudaGraphDestroy(captured);
    TAMIS_RETURN_IF_ERROR(CudaStatus(result, "cudaGraphInstantiate"));
    *graph = made.release();
    return {};
  });
}

int LaunchGraph(TamisCudaStream* stream, TamisCudaGraph* graph, TamisCudaError* error) {
  return Report(error, [&] { return CudaStatus(cudaGraphLaunch(graph->exec, stream->stream), "cudaGraphLaunch"); });
}

void DestroyGraph(TamisCudaGraph* graph) {
  if (graph->open->Use().ok()) cudaGraphExecDestroy(graph->exec);
  delete graph;
}

int CreateEvent(TamisCudaDevice* device, TamisCudaEvent** event, TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    TAMIS_RETURN_IF_ERROR(device->open->Use());
    auto made = std::make_unique<TamisCudaEvent>();
    made->open = device->open;
    TAMIS_CUDA_RETURN_IF_ERROR(cudaEventCreate(&made->event));
    *event = made.release();
    return {};
  });
}

void DestroyEvent(TamisCudaEvent* event) {
  if (event->open->Use().ok()) cudaEventDestroy(event->event);
  delete event;
}

int RecordEvent(TamisCudaStream* stream, TamisCudaEvent* event, TamisCudaError* error) {
  return Report(error, [&] { return CudaStatus(cudaEventRecord(event->event, stream->stream), "cudaEventRecord"); });
}

int ElapsedSeconds(TamisCudaEvent* begin, TamisCudaEvent* end, double* seconds, TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    TAMIS_RETURN_IF_ERROR(CudaStatus(cudaEventSynchronize(begin->event), "waiting for the GPU"));
    TAMIS_RETURN_IF_ERROR(CudaStatus(cudaEventSynchronize(end->event), "waiting for the GPU"));
    float milliseconds = 0;
    TAMIS_RETURN_IF_ERROR(
        CudaStatus(cudaEventElapsedTime(&milliseconds, begin->event, end->event), "cudaEventElapsedTime"));
    *seconds = static_cast<double>(milliseconds) * 1e-3;
    return {};
  });
}

// Everything that `later` gets from now on waits for all that `earlier` has.
Status OrderStreams(cudaStream_t earlier, cudaStream_t later) {
  cudaEvent_t event = nullptr;
  TAMIS_RETURN_IF_ERROR(CudaStatus(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreate"));
  Status status = CudaStatus(cudaEventRecord(event, earlier), "cudaEventRecord");
  if (status.ok()) status = CudaStatus(cudaStreamWaitEvent(later, event, 0), "cudaStreamWaitEvent");
  cudaEventDestroy(event);  // once nothing needs it any more
  return status;
}

// 1 and 2 are CUDA's own names of two streams.
cudaStream_t NativeStream(uint64_t handle) {
  return reinterpret_cast<cudaStream_t>(static_cast<uintptr_t>(handle));
}

int WaitForNative(TamisCudaStream* stream, uint64_t native, TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    TAMIS_RETURN_IF_ERROR(stream->open->Use());
    return OrderStreams(NativeStream(native), stream->stream);
  });
}

int LetNativeWait(TamisCudaStream* stream, uint64_t native, TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    TAMIS_RETURN_IF_ERROR(stream->open->Use());
    return OrderStreams(stream->stream, NativeStream(native));
  });
}

bool Names(const CudaKernelDef& kernel, const std::string& op) {
  return std::find(kernel.ops.begin(), kernel.ops.end(), op) != kernel.ops.end();
}

Result<int> Supports(const CudaKernelDef& kernel, const Problem& problem, OpenDevice& device) {
  if (device.device().compute < kernel.compute) {
    return UserError("needs compute capability {}.{}, this GPU has {}.{}", kernel.compute / 10, kernel.compute % 10,
                     device.device().compute / 10, device.device().compute % 10);
  }
  return kernel.supports(problem, device);
}

int Candidates(TamisCudaDevice* device, const TamisCudaProblem* problem, TamisCudaCandidateFn visit, void* context,
               TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    TAMIS_RETURN_IF_ERROR(device->open->Use());
    const auto decoded = DecodeProblem(*problem);
    for (const CudaKernelDef* kernel : AllCudaKernels()) {
      if (!Names(*kernel, decoded->node.op)) continue;
      const Result<int> variants = Supports(*kernel, decoded->problem, *device->open);
      const std::string name(kernel->name);
      if (variants.ok()) {
        visit(context, name.c_str(), *variants, "");
      } else {
        visit(context, name.c_str(), 0, variants.status().message().c_str());
      }
    }
    return {};
  });
}

int Prepare(TamisCudaDevice* device, const TamisCudaProblem* problem, const char* variant, TamisCudaKernel** kernel,
            TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    TAMIS_RETURN_IF_ERROR(device->open->Use());
    const std::string text(variant);
    const size_t slash = text.find('/');
    const std::string name = text.substr(0, slash);
    const int number = slash == std::string::npos ? 0 : std::atoi(text.c_str() + slash + 1);
    auto made = std::make_unique<TamisCudaKernel>();
    made->open = device->open;
    made->problem = DecodeProblem(*problem);
    for (const CudaKernelDef* def : AllCudaKernels()) {
      if (def->name != name) continue;
      if (!Names(*def, made->problem->node.op))
        return UserError("{} does not compute {}", name, made->problem->node.op);
      TAMIS_ASSIGN_OR_RETURN(const int variants, Supports(*def, made->problem->problem, *device->open));
      if (number < 0 || number >= variants) {
        return UserError("{} has {} variants for this problem, number {} was asked for", name, variants, number);
      }
      TAMIS_ASSIGN_OR_RETURN(made->kernel, def->prepare(made->problem->problem, number, *device->open));
      *kernel = made.release();
      return {};
    }
    return UserError("there is no CUDA kernel '{}'", name);
  });
}

void DescribeKernel(const TamisCudaKernel* kernel, TamisCudaKernelFacts* facts) {
  facts->workspace_bytes = kernel->kernel->WorkspaceBytes();
  facts->packed_inputs = kernel->kernel->PackedInputs();
}

int Enqueue(const TamisCudaKernel* kernel, TamisCudaStream* stream, const void* const* inputs, void* const* outputs,
            void* workspace, TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    TAMIS_RETURN_IF_ERROR(kernel->open->Use());
    const Problem& problem = kernel->problem->problem;
    return kernel->kernel->Enqueue({inputs, problem.inputs.size()}, {outputs, problem.outputs.size()}, workspace,
                                   stream->stream);
  });
}

void DestroyKernel(TamisCudaKernel* kernel) {
  static_cast<void>(kernel->open->Use());
  delete kernel;
}

int HoldConstant(TamisCudaDevice* device, uint64_t hash, const void* bytes, uint64_t count,
                 TamisCudaConstant** constant, TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    TAMIS_RETURN_IF_ERROR(device->open->Use());
    auto made = std::make_unique<TamisCudaConstant>();
    made->open = device->open;
    const auto fill = [&](std::byte* to) {
      if (count > 0) std::memcpy(to, bytes, count);
    };
    TAMIS_ASSIGN_OR_RETURN(made->bytes, device->open->Packed(hash, "as it is", count, fill));
    *constant = made.release();
    return {};
  });
}

const void* ConstantAddress(const TamisCudaConstant* constant) {
  return constant->bytes->data();
}

void DropConstant(TamisCudaConstant* constant) {
  static_cast<void>(constant->open->Use());
  delete constant;
}

int Libraries(TamisCudaDevice* device, char* text, uint64_t size, TamisCudaError* error) {
  return Report(error, [&]() -> Status {
    TAMIS_RETURN_IF_ERROR(device->open->Use());
    CopyText(device->open->Libraries(), text, size);
    return {};
  });
}

constexpr TamisCudaApi kApi = {
    sizeof(TamisCudaApi),
    TAMIS_CUDA_API_VERSION,
    DeviceCount,
    OpenDeviceByOrdinal,
    CloseDevice,
    DescribeDevice,
    MemoryInfo,
    Allocate,
    Release,
    AllocatePinned,
    ReleasePinned,
    CreateStream,
    DestroyStream,
    Synchronize,
    Copy,
    Fill,
    BeginCapture,
    EndCapture,
    LaunchGraph,
    DestroyGraph,
    CreateEvent,
    DestroyEvent,
    RecordEvent,
    ElapsedSeconds,
    Candidates,
    Prepare,
    DescribeKernel,
    Enqueue,
    DestroyKernel,
    HoldConstant,
    ConstantAddress,
    DropConstant,
    Libraries,
    WaitForNative,
    LetNativeWait,
};

}  // namespace
}  // namespace tamis::cuda

extern "C" __attribute__((visibility("default"))) const TamisCudaApi* tamis_cuda_api(uint32_t version) {
  return version == TAMIS_CUDA_API_VERSION ? &tamis::cuda::kApi : nullptr;
}
