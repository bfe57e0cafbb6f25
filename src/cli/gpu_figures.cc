#include "src/cli/gpu_figures.h"

#include <algorithm>
#include <chrono>

namespace tamis {

Result<GpuFigures> MeasureGpu(std::shared_ptr<const CudaDevice> device, Session& session, const NamedTensors& inputs,
                              double seconds) {
  GpuFigures figures;
  figures.name = device->info().name;
  auto measured = session.MeasureOnDevice(inputs, 100);
  if (!measured.ok() && measured.status().kind() != ErrorKind::kUser) return measured.status();
  if (!measured.ok()) return figures;  // nodes on the CPU: the request's latency is all there is to say
  figures.device = *measured;
  if (const auto bytes = device->FreeAndTotalBytes(); bytes.ok() && bytes->first < device->free_bytes_at_open()) {
    figures.process_bytes = device->free_bytes_at_open() - bytes->first;
  }
  const auto meter = GpuMeter::Open(device->info().pci_bus_id);
  if (!meter.ok()) return figures;
  using Clock = std::chrono::steady_clock;
  const int repeats = std::clamp(static_cast<int>(seconds / figures.device.seconds), 10, 20000);
  (*meter)->Start();
  const auto start = Clock::now();
  TAMIS_ASSIGN_OR_RETURN(figures.device, session.MeasureOnDevice(inputs, repeats));
  const double taken = std::chrono::duration<double>(Clock::now() - start).count();
  figures.activity = (*meter)->Stop();
  figures.runs = repeats;
  if (figures.activity.joules) figures.watts = *figures.activity.joules / taken;
  return figures;
}

std::string ToText(const GpuFigures& figures) {
  if (figures.device.seconds == 0) return fmt::format("on {}, with nodes on the CPU", figures.name);
  std::string text =
      fmt::format("on {}: {:.4f} ms a run on the device, {:.1f} MB of its memory ({:.1f} with libraries and code)",
                  figures.name, figures.device.seconds * 1e3, static_cast<double>(figures.device.memory_bytes) / 1e6,
                  static_cast<double>(figures.process_bytes) / 1e6);
  if (figures.activity.joules) {
    text += fmt::format(", {:.4f} J a run ({:.0f} W)", *figures.activity.joules / figures.runs, figures.watts);
  }
  if (figures.activity.sm_active) text += fmt::format(", SMs active {:.0f} %", 100 * *figures.activity.sm_active);
  if (figures.activity.tensor_active) {
    text += fmt::format(", tensor cores {:.0f} %", 100 * *figures.activity.tensor_active);
  }
  return text;
}

void AddToJson(const GpuFigures& figures, JsonWriter* json) {
  json->Key("gpu").BeginObject().Field("name", figures.name);
  if (figures.device.seconds > 0) {
    json->Field("device_ms", figures.device.seconds * 1e3);
    json->Field("memory_bytes", static_cast<int64_t>(figures.device.memory_bytes));
    json->Field("bytes_above_context", static_cast<int64_t>(figures.process_bytes));
  }
  if (figures.activity.joules) {
    json->Field("joules_per_run", *figures.activity.joules / figures.runs).Field("watts", figures.watts);
  }
  if (figures.activity.sm_active) json->Field("sm_active", *figures.activity.sm_active);
  if (figures.activity.tensor_active) json->Field("tensor_active", *figures.activity.tensor_active);
  json->EndObject();
}

}  // namespace tamis
