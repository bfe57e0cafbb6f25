#include "src/cuda/device.h"

#include <charconv>
#include <deque>

#include "src/cuda/pinned_blocks.h"

namespace tamis {
namespace {

// The C form of a problem; points into it.
class ProblemView {
 public:
  explicit ProblemView(const Problem& problem) {
    for (const auto& [key, attribute] : problem.node->attributes) AddAttribute(key, attribute);
    for (const Operand& operand : problem.inputs) inputs_.push_back(View(operand));
    for (const Operand& operand : problem.outputs) outputs_.push_back(View(operand));
    view_.size = sizeof(view_);
    view_.op = problem.node->op.c_str();
    view_.domain = problem.node->domain.c_str();
    view_.attributes = attributes_.data();
    view_.attribute_count = static_cast<uint32_t>(attributes_.size());
    view_.inputs = inputs_.data();
    view_.input_count = static_cast<uint32_t>(inputs_.size());
    view_.outputs = outputs_.data();
    view_.output_count = static_cast<uint32_t>(outputs_.size());
  }
  const TamisCudaProblem* get() const { return &view_; }

 private:
  static TamisCudaOperand View(const Operand& operand) {
    TamisCudaOperand view{};
    view.dtype = static_cast<int32_t>(operand.dtype);
    view.pattern = static_cast<int32_t>(operand.pattern);
    view.rank = static_cast<uint32_t>(operand.dims.size());
    view.dims = operand.dims.data();
    view.constant = operand.constant != nullptr ? operand.constant->raw() : nullptr;
    view.constant_hash = operand.constant_hash;
    return view;
  }

  void AddAttribute(const std::string& key, const Attribute& attribute) {
    TamisCudaAttribute view{};
    view.key = key.c_str();
    if (const auto* i = std::get_if<int64_t>(&attribute)) {
      view.kind = TAMIS_CUDA_INT;
      view.i = *i;
    } else if (const auto* f = std::get_if<float>(&attribute)) {
      view.kind = TAMIS_CUDA_FLOAT;
      view.f = *f;
    } else if (const auto* text = std::get_if<std::string>(&attribute)) {
      view.kind = TAMIS_CUDA_TEXT;
      view.text = text->c_str();
    } else if (const auto* ints = std::get_if<std::vector<int64_t>>(&attribute)) {
      view.kind = TAMIS_CUDA_INTS;
      view.ints = ints->data();
      view.count = ints->size();
    } else if (const auto* floats = std::get_if<std::vector<float>>(&attribute)) {
      view.kind = TAMIS_CUDA_FLOATS;
      view.floats = floats->data();
      view.count = floats->size();
    } else if (const auto* lines = std::get_if<std::vector<std::string>>(&attribute)) {
      view.kind = TAMIS_CUDA_LINES;
      std::string& text = texts_.emplace_back();
      for (const std::string& line : *lines) text += line + '\n';
      view.text = text.c_str();
    } else {
      return;  // tensors never steer a kernel
    }
    attributes_.push_back(view);
  }

  std::vector<TamisCudaAttribute> attributes_;
  std::deque<std::string> texts_;  // of lists of strings; addresses stay
  std::vector<TamisCudaOperand> inputs_, outputs_;
  TamisCudaProblem view_{};
};

}  // namespace

Result<std::shared_ptr<CudaDevice>> CudaDevice::Open(int ordinal) {
  TAMIS_ASSIGN_OR_RETURN(const TamisCudaApi* api, CudaBackend());
  auto device = std::shared_ptr<CudaDevice>(new CudaDevice());
  device->api_ = api;
  TAMIS_RETURN_IF_ERROR(CallCuda(api->open_device, ordinal, &device->device_));
  device->info_.size = sizeof(device->info_);
  TAMIS_RETURN_IF_ERROR(CallCuda(api->describe_device, device->device_, &device->info_));
  TAMIS_ASSIGN_OR_RETURN(const auto bytes, device->FreeAndTotalBytes());
  device->free_bytes_at_open_ = bytes.first;
  PinnedBlocks::OfProcess().Use([opened = std::weak_ptr<const CudaDevice>(device)](size_t size) {
    const auto alive = opened.lock();
    if (alive == nullptr) return std::shared_ptr<void>();
    auto memory = CudaMemory::Pinned(alive, size);
    if (!memory.ok()) return std::shared_ptr<void>();
    const auto held = std::make_shared<CudaMemory>(std::move(memory).value());
    return std::shared_ptr<void>(held, held->data());
  });
  return device;
}

CudaDevice::~CudaDevice() {
  if (device_ != nullptr) api_->close_device(device_);
}

std::string WorkspaceRefusal(uint64_t wanted, uint64_t limit) {
  return fmt::format("its workspace is {} bytes, above the limit of {}", wanted, limit);
}

std::string CudaDevice::Fingerprint() const {
  return fmt::format("cuda: {}, sm_{}{}, {} multiprocessors", info_.name, info_.compute_major, info_.compute_minor,
                     info_.multiprocessors);
}

std::string CudaDevice::TimingKey() const {
  char libraries[512] = "";
  const Status status = CallCuda(api_->libraries, device_, static_cast<char*>(libraries), uint64_t{sizeof(libraries)});
  return Fingerprint() + ", " + (status.ok() ? libraries : status.message());
}

Result<CudaStream> CudaDevice::MakeStream() const {
  TamisCudaStream* stream = nullptr;
  TAMIS_RETURN_IF_ERROR(CallCuda(api_->create_stream, device_, &stream));
  return CudaStream(stream);
}

Result<CudaEvent> CudaDevice::MakeEvent() const {
  TamisCudaEvent* event = nullptr;
  TAMIS_RETURN_IF_ERROR(CallCuda(api_->create_event, device_, &event));
  return CudaEvent(event);
}

Result<std::pair<uint64_t, uint64_t>> CudaDevice::FreeAndTotalBytes() const {
  std::pair<uint64_t, uint64_t> bytes;
  TAMIS_RETURN_IF_ERROR(CallCuda(api_->memory_info, device_, &bytes.first, &bytes.second));
  return bytes;
}

Result<std::vector<CudaCandidate>> CudaDevice::Candidates(const Problem& problem) const {
  std::vector<CudaCandidate> candidates;
  const auto visit = [](void* context, const char* kernel, int32_t variants, const char* reason) {
    static_cast<std::vector<CudaCandidate>*>(context)->push_back({kernel, variants, reason});
  };
  const ProblemView view(problem);
  TAMIS_RETURN_IF_ERROR(CallCuda(api_->candidates, device_, view.get(), visit, static_cast<void*>(&candidates)));
  return candidates;
}

Result<CudaKernelHandle> CudaDevice::Prepare(const Problem& problem, const std::string& variant) const {
  const ProblemView view(problem);
  TamisCudaKernel* kernel = nullptr;
  TAMIS_RETURN_IF_ERROR(CallCuda(api_->prepare, device_, view.get(), variant.c_str(), &kernel));
  return CudaKernelHandle(kernel);
}

TamisCudaKernelFacts CudaDevice::Describe(const TamisCudaKernel* kernel) const {
  TamisCudaKernelFacts facts{};
  facts.size = sizeof(facts);
  api_->describe_kernel(kernel, &facts);
  return facts;
}

Result<CudaConstant> CudaDevice::Hold(const Tensor& constant, uint64_t hash) const {
  TamisCudaConstant* held = nullptr;
  TAMIS_RETURN_IF_ERROR(CallCuda(api_->hold_constant, device_, hash, static_cast<const void*>(constant.raw()),
                                 static_cast<uint64_t>(constant.NumBytes()), &held));
  return CudaConstant(held);
}

Result<CudaMemory> CudaMemory::OnDevice(std::shared_ptr<const CudaDevice> device, size_t bytes) {
  CudaMemory memory;
  memory.bytes_ = bytes;
  TAMIS_RETURN_IF_ERROR(CallCuda(device->api_->allocate, device->device_, static_cast<uint64_t>(bytes), &memory.data_));
  memory.device_ = std::move(device);
  return memory;
}

Result<CudaMemory> CudaMemory::Pinned(std::shared_ptr<const CudaDevice> device, size_t bytes) {
  CudaMemory memory;
  memory.bytes_ = bytes;
  memory.pinned_ = true;
  TAMIS_RETURN_IF_ERROR(
      CallCuda(device->api_->allocate_pinned, device->device_, static_cast<uint64_t>(bytes), &memory.data_));
  memory.device_ = std::move(device);
  return memory;
}

CudaMemory& CudaMemory::operator=(CudaMemory&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(pinned_, other.pinned_);
  return *this;
}

CudaMemory::~CudaMemory() {
  if (device_ == nullptr) return;
  const TamisCudaApi& api = *device_->api_;
  pinned_ ? api.release_pinned(device_->device_, data_) : api.release(device_->device_, data_);
}

Result<std::optional<int>> ParseDevice(const std::string& text) {
  if (text == "cpu") return std::optional<int>();
  if (text == "cuda") return std::optional<int>(0);
  if (text.rfind("cuda:", 0) == 0) {
    int ordinal = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + 5, end, ordinal);
    if (error == std::errc() && stop == end && ordinal >= 0) return std::optional<int>(ordinal);
  }
  return UserError("--device '{}' is unknown; it takes cpu, cuda or cuda:N", text);
}

}  // namespace tamis
