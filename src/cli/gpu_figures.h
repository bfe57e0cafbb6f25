// What a GPU takes for a network: time on the device, memory, energy and activity.
#pragma once

#include <map>
#include <string>

#include "src/base/json_writer.h"
#include "src/cuda/device.h"
#include "src/cuda/nvml.h"
#include "tamis/session.h"

namespace tamis {

struct GpuFigures {
  std::string name;
  Session::DeviceMeasure device;
  uint64_t process_bytes = 0;  // that this process holds of the GPU's memory above its empty context; 0 if unknown
  GpuActivity activity;        // while requests are answered back to back, inputs and outputs on the device
  double runs = 0;             // that many in that time
  double watts = 0;            // 0 if unknown
};

// Runs for about `seconds`. `device` was opened before the session.
Result<GpuFigures> MeasureGpu(std::shared_ptr<const CudaDevice> device, Session& session, const NamedTensors& inputs,
                              double seconds);
// "on NVIDIA H100: 0.412 ms a run on the device, 61 MB, ...": what is not known is left out.
std::string ToText(const GpuFigures& figures);
void AddToJson(const GpuFigures& figures, JsonWriter* json);

}  // namespace tamis
