// Streams of the CUDA backend that many threads wait for at once.
#include <cstring>
#include <thread>

#include "src/cuda/cuda_kernel_check.h"

namespace tamis {
namespace {

// More threads than cores, so that some spin and some sleep while they wait: each finds its own bytes at once after
// each wait.
TEST_F(CudaKernels, ManyThreadsWait) {
  constexpr size_t kBytes = size_t{1} << 22;
  constexpr int kTurns = 40;
  const size_t threads = 2 * std::max<size_t>(4, std::thread::hardware_concurrency());
  std::vector<std::string> failures(threads);
  const auto work = [&](size_t index) -> Status {
    TAMIS_ASSIGN_OR_RETURN(const CudaStream stream, device_->MakeStream());
    TAMIS_ASSIGN_OR_RETURN(const CudaMemory on_device, CudaMemory::OnDevice(device_, kBytes));
    TAMIS_ASSIGN_OR_RETURN(const CudaMemory pinned, CudaMemory::Pinned(device_, kBytes));
    const TamisCudaApi& api = device_->api();
    for (int turn = 0; turn < kTurns; ++turn) {
      const auto byte = static_cast<int32_t>((index * 7 + static_cast<size_t>(turn)) % 251);
      std::memset(pinned.data(), 255, kBytes);
      TAMIS_RETURN_IF_ERROR(
          CallCuda(api.fill, stream.get(), static_cast<void*>(on_device.data()), byte, static_cast<uint64_t>(kBytes)));
      TAMIS_RETURN_IF_ERROR(CallCuda(api.copy, stream.get(), static_cast<void*>(pinned.data()),
                                     static_cast<const void*>(on_device.data()), static_cast<uint64_t>(kBytes),
                                     int32_t{TAMIS_CUDA_TO_HOST}));
      TAMIS_RETURN_IF_ERROR(CallCuda(api.synchronize, stream.get()));
      for (size_t i = 0; i < kBytes; i += 509) {
        if (pinned.data()[i] != static_cast<std::byte>(byte)) return InternalError("byte {} of turn {}", i, turn);
      }
    }
    return {};
  };
  std::vector<std::thread> running;
  for (size_t i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      if (const Status status = work(i); !status.ok()) failures[i] = status.message();
    });
  }
  for (std::thread& thread : running) thread.join();
  for (const std::string& failure : failures) EXPECT_EQ(failure, "");
}

}  // namespace
}  // namespace tamis
