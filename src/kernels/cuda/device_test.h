// What tests of device code share.
#pragma once

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdint>

#include "src/base/float16.h"

#define ASSERT_CUDA(call) ASSERT_EQ((call), cudaSuccess) << cudaGetErrorString(cudaGetLastError())

namespace tamis::cuda {

inline constexpr size_t kGuard = 4096;  // bytes behind every result

struct TestDevice {
  int compute = 0;  // 0: there is none
  int multiprocessors = 0;
};

inline TestDevice FindTestDevice() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) return {};
  cudaDeviceProp properties;
  if (cudaGetDeviceProperties(&properties, 0) != cudaSuccess) return {};
  return {properties.major * 10 + properties.minor, properties.multiProcessorCount};
}

class TestBuffer {
 public:
  TestBuffer() = default;
  ~TestBuffer() { cudaFree(data_); }
  TestBuffer(const TestBuffer&) = delete;
  TestBuffer& operator=(const TestBuffer&) = delete;
  void Fill(const void* host, size_t bytes) {
    ASSERT_CUDA(cudaMalloc(&data_, bytes));
    ASSERT_CUDA(cudaMemcpy(data_, host, bytes, cudaMemcpyHostToDevice));
  }
  void* data() { return data_; }

 private:
  void* data_ = nullptr;
};

inline float Widen(uint16_t bits, bool bf16) {
  return bf16 ? Bf16ToFloat(bits) : HalfToFloat(bits);
}
inline uint16_t Narrow(float v, bool bf16) {
  return bf16 ? FloatToBf16(v) : FloatToHalf(v);
}

}  // namespace tamis::cuda
