// Launching our own kernels: with clusters, and overlapping the end of the kernel before (programmatic dependent
// launch). For .cu files.
#pragma once

#include <cuda_runtime.h>

#include <cstdlib>

namespace tamis::cuda {

// Whether launches may overlap on this device: only its own machine code has the waits that they need. TAMIS_CUDA_PDL=0
// switches it off, for measurements.
inline bool MayOverlapLaunches() {
  static const bool kMay = [] {
    const char* set = std::getenv("TAMIS_CUDA_PDL");
    if (set != nullptr && set[0] == '0') return false;
    int device = 0, major = 0;
    return cudaGetDevice(&device) == cudaSuccess &&
           cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess && major == 9;
  }();
  return kMay;
}

struct LaunchShape {
  dim3 grid, block;
  unsigned shared_bytes = 0;
  unsigned cluster_z = 1;
};

// The kernel must call WaitForPrevious() (device.cuh) before it touches anything that an earlier kernel may write or
// still read.
template <class... Parameters, class... Arguments>
cudaError_t LaunchKernel(void (*kernel)(Parameters...), const LaunchShape& shape, cudaStream_t stream,
                         Arguments&&... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = shape.grid;
  config.blockDim = shape.block;
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = stream;
  cudaLaunchAttribute attributes[2];
  if (MayOverlapLaunches()) {
    attributes[config.numAttrs].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attributes[config.numAttrs++].val.programmaticStreamSerializationAllowed = 1;
  }
  if (shape.cluster_z > 1) {
    attributes[config.numAttrs].id = cudaLaunchAttributeClusterDimension;
    attributes[config.numAttrs].val.clusterDim.x = 1;
    attributes[config.numAttrs].val.clusterDim.y = 1;
    attributes[config.numAttrs++].val.clusterDim.z = shape.cluster_z;
  }
  config.attrs = attributes;
  return cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
}

}  // namespace tamis::cuda
