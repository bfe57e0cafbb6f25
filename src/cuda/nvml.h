// Energy and activity of a GPU, as NVIDIA's management library counts them. The library comes with the driver and is
// loaded at the first call.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tamis/status.h"

namespace tamis {

// Between two moments. A figure that the GPU or the driver does not give is absent.
struct GpuActivity {
  std::optional<double> joules;
  std::optional<double> sm_active;      // share of the time that multiprocessors had work, 0 to 1
  std::optional<double> tensor_active;  // share of the time that tensor cores computed
};

// Not synchronised.
class GpuMeter {
 public:
  // `pci_bus_id` as TamisCudaDeviceInfo has it.
  static Result<std::unique_ptr<GpuMeter>> Open(const std::string& pci_bus_id);
  ~GpuMeter();
  void Start();
  // What happened since Start. The counters of activity need some 200 ms between the two.
  GpuActivity Stop();
  // Memory in use on the whole GPU, by everyone.
  std::optional<uint64_t> UsedBytes() const;

 private:
  struct State;
  explicit GpuMeter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tamis
