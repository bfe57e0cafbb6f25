#include "src/kernels/cuda/open_device.h"

#include <cstring>
#include <vector>

#include "src/kernels/cuda/cublaslt.h"
#include "src/kernels/cuda/cudnn.h"
#include "src/kernels/cuda/nvrtc.h"

namespace tamis::cuda {
namespace {

constexpr char kRevision[] =
#include "src/kernels/cuda/cuda_revision.inc"
    ;

}  // namespace

Result<std::shared_ptr<OpenDevice>> OpenDevice::Get(int ordinal) {
  static std::mutex mutex;
  static auto* const kOpen = new std::map<int, std::weak_ptr<OpenDevice>>;
  std::lock_guard lock(mutex);
  if (auto open = (*kOpen)[ordinal].lock()) return open;
  int count = 0;
  TAMIS_CUDA_RETURN_IF_ERROR(cudaGetDeviceCount(&count));
  if (ordinal < 0 || ordinal >= count) {
    return UserError("there is no GPU {}; this machine shows {} (0 to {})", ordinal, count, count - 1);
  }
  auto open = std::shared_ptr<OpenDevice>(new OpenDevice());
  open->device_.ordinal = ordinal;
  TAMIS_RETURN_IF_ERROR(open->Use());
  TAMIS_CUDA_RETURN_IF_ERROR(cudaGetDeviceProperties(&open->properties_, ordinal));
  const cudaDeviceProp& properties = open->properties_;
  Device& device = open->device_;
  device.compute = properties.major * 10 + properties.minor;
  device.multiprocessors = properties.multiProcessorCount;
  device.shared_bytes_per_block = properties.sharedMemPerBlockOptin;
  device.l2_bytes = static_cast<size_t>(properties.l2CacheSize);
  device.name = properties.name;
  if (device.compute < 80) {
    return UserError("GPU {} ({}) has compute capability {}.{}; Tamis needs 8.0 (Ampere) or later", ordinal,
                     device.name, properties.major, properties.minor);
  }
  (*kOpen)[ordinal] = open;
  return open;
}

OpenDevice::OpenDevice()
    : slabs_(std::make_shared<Slabs>(SlabSource{[](size_t bytes) -> Result<std::byte*> {
                                                  TAMIS_ASSIGN_OR_RETURN(void* const data, AllocateOnDevice(bytes));
                                                  return static_cast<std::byte*>(data);
                                                },
                                                [](std::byte* slab) { cudaFree(slab); }})) {}

OpenDevice::~OpenDevice() {
  static_cast<void>(Use());
}

Status OpenDevice::Use() const {
  return CudaStatus(cudaSetDevice(device_.ordinal), fmt::format("opening GPU {}", device_.ordinal));
}

Result<CublasLt*> OpenDevice::cublaslt() {
  std::lock_guard lock(mutex_);
  if (!cublaslt_tried_) {
    cublaslt_tried_ = true;
    auto opened = CublasLt::Open();
    if (opened.ok()) {
      cublaslt_ = std::move(opened).value();
    } else {
      cublaslt_status_ = opened.status();
    }
  }
  if (!cublaslt_status_.ok()) return cublaslt_status_;
  return cublaslt_.get();
}

Result<Cudnn*> OpenDevice::cudnn() {
  std::lock_guard lock(mutex_);
  if (!cudnn_tried_) {
    cudnn_tried_ = true;
    auto opened = Cudnn::Open();
    if (opened.ok()) {
      cudnn_ = std::move(opened).value();
    } else {
      cudnn_status_ = opened.status();
    }
  }
  if (!cudnn_status_.ok()) return cudnn_status_;
  return cudnn_.get();
}

std::string OpenDevice::Libraries() {
  const auto lt = cublaslt();
  const auto dnn = cudnn();
  const auto nvrtc = Nvrtc::Get();
  return (lt.ok() ? (*lt)->Version() : lt.status().message()) + ", " +
         (dnn.ok() ? (*dnn)->Version() : dnn.status().message()) + ", " +
         (nvrtc.ok() ? (*nvrtc)->Version() : nvrtc.status().message()) + ", kernels " + kRevision;
}

Result<std::shared_ptr<const DeviceBytes>> OpenDevice::Packed(uint64_t constant_hash, std::string_view packing,
                                                              size_t bytes,
                                                              const std::function<void(std::byte*)>& fill) {
  const std::pair<uint64_t, std::string> key(constant_hash, packing);
  std::lock_guard lock(mutex_);
  if (constant_hash != 0) {
    if (auto held = packed_[key].lock()) return held;
  }
  std::vector<std::byte> host(bytes);
  fill(host.data());
  TAMIS_ASSIGN_OR_RETURN(const std::shared_ptr<DeviceBytes> device, DeviceBytes::Make(slabs_, bytes));
  TAMIS_CUDA_RETURN_IF_ERROR(cudaMemcpy(device->data(), host.data(), bytes, cudaMemcpyHostToDevice));
  std::shared_ptr<const DeviceBytes> held = device;
  if (constant_hash != 0) packed_[key] = held;
  return held;
}

}  // namespace tamis::cuda
