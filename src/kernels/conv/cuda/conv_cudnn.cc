// Convolution by cuDNN's graph API, of f16, bf16, f32 or tf32. The first variants have bias, residual and ReLU or Clip
// fused into them, variant i by the i-th engine of the library's heuristics that can be built. Of other types than f16,
// for which we have kernels of our own, further variants are the convolution alone and a pass of ours for the rest,
// with any activation.
#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "src/kernels/conv/cuda/cuda_conv.h"
#include "src/kernels/cuda/cudnn.h"
#include "src/kernels/cuda/float_types.h"
#include "src/kernels/cuda/settle.h"
#include "src/kernels/gemm/cuda/finish_rows.h"

namespace tamis::cuda {
namespace {

constexpr int kFused = 4, kAlone = 2;  // variants of each kind
constexpr int64_t kWorkspaceLimit = int64_t{256} << 20;
enum Uid : int64_t { kX = 1, kW, kBias, kResidual, kY, kFirstVirtual };

class Descriptor {
 public:
  Descriptor() = default;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&& other) noexcept : dnn_(other.dnn_), descriptor_(other.descriptor_) {
    other.descriptor_ = nullptr;
  }
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(dnn_, other.dnn_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Descriptor() {
    if (descriptor_ != nullptr) dnn_->destroy_descriptor(descriptor_);
  }

  Status Create(Cudnn& dnn, cudnnBackendDescriptorType_t type) {
    dnn_ = &dnn;
    return dnn.Check(dnn.create_descriptor(type, &descriptor_), "creating a descriptor");
  }
  // The first failure sticks and is told by Finalize.
  template <class T>
  Descriptor& Set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const std::vector<T>& values) {
    if (status_ == CUDNN_STATUS_SUCCESS) {
      status_ = dnn_->set_attribute(descriptor_, name, type, static_cast<int64_t>(values.size()), values.data());
    }
    return *this;
  }
  Descriptor& Set(cudnnBackendAttributeName_t name, const Descriptor& other) {
    return Set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, std::vector{other.get()});
  }
  Status Finalize(const char* what) {
    TAMIS_RETURN_IF_ERROR(dnn_->Check(status_, what));
    return dnn_->Check(dnn_->finalize(descriptor_), what);
  }
  cudnnBackendDescriptor_t get() const { return descriptor_; }

 private:
  Cudnn* dnn_ = nullptr;
  cudnnBackendDescriptor_t descriptor_ = nullptr;
  cudnnStatus_t status_ = CUDNN_STATUS_SUCCESS;
};

cudnnDataType_t TypeOf(DType dtype) {
  return dtype == DType::kFloat32    ? CUDNN_DATA_FLOAT
         : dtype == DType::kBFloat16 ? CUDNN_DATA_BFLOAT16
                                     : CUDNN_DATA_HALF;
}

// The operation graph of one convolution, and what it consists of.
class ConvGraph {
 public:
  ConvGraph(Cudnn& dnn, const CudaConv& conv) : dnn_(dnn), conv_(conv) {}

  Status Make() {
    const std::array<int64_t, 4> x_dims = {conv_.batch, conv_.channels, conv_.in_h, conv_.in_w};
    const std::array<int64_t, 4> w_dims = {conv_.outputs, conv_.channels / conv_.group, conv_.kernel_h, conv_.kernel_w};
    y_dims_ = {conv_.batch, conv_.outputs, conv_.out_h, conv_.out_w};
    const cudnnDataType_t type = TypeOf(conv_.dtype), y_type = conv_.output_f32 ? CUDNN_DATA_FLOAT : type;
    Descriptor *x = nullptr, *w = nullptr, *y = nullptr;
    TAMIS_RETURN_IF_ERROR(AddTensor(kX, x_dims, type, false, &x));
    TAMIS_RETURN_IF_ERROR(AddTensor(kW, w_dims, type, false, &w));
    TAMIS_RETURN_IF_ERROR(AddTensor(kY, y_dims_, y_type, false, &y));
    const bool relu = conv_.activation.kind != Activation::kNone;
    int left = (conv_.residual ? 1 : 0) + (conv_.bias ? 1 : 0) + (relu ? 1 : 0);  // operations after the convolution
    // Each result but the last is virtual: it never reaches memory.
    const auto next = [&](Descriptor** result) -> Status {
      if (left-- == 0) {
        *result = y;
        return {};
      }
      return AddTensor(kFirstVirtual + left, y_dims_, CUDNN_DATA_FLOAT, true, result);
    };
    Descriptor *sum = nullptr, *result = nullptr, *operand = nullptr;
    TAMIS_RETURN_IF_ERROR(next(&sum));
    TAMIS_RETURN_IF_ERROR(AddConvolution(*x, *w, *sum));
    if (conv_.residual) {
      const cudnnDataType_t residual = conv_.residual_f32 ? CUDNN_DATA_FLOAT : type;
      TAMIS_RETURN_IF_ERROR(AddTensor(kResidual, y_dims_, residual, false, &operand));
      TAMIS_RETURN_IF_ERROR(next(&result));
      TAMIS_RETURN_IF_ERROR(AddPointwise(CUDNN_POINTWISE_ADD, *sum, operand, *result));
      sum = result;
    }
    if (conv_.bias) {
      TAMIS_RETURN_IF_ERROR(AddTensor(kBias, {1, conv_.outputs, 1, 1}, CUDNN_DATA_FLOAT, false, &operand));
      TAMIS_RETURN_IF_ERROR(next(&result));
      TAMIS_RETURN_IF_ERROR(AddPointwise(CUDNN_POINTWISE_ADD, *sum, operand, *result));
      sum = result;
    }
    if (relu) {
      TAMIS_RETURN_IF_ERROR(next(&result));
      TAMIS_RETURN_IF_ERROR(AddPointwise(CUDNN_POINTWISE_RELU_FWD, *sum, nullptr, *result));
    }
    std::vector<cudnnBackendDescriptor_t> operations;
    for (const Descriptor& operation : operations_) operations.push_back(operation.get());
    TAMIS_RETURN_IF_ERROR(graph_.Create(dnn_, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR));
    return graph_.Set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, operations)
        .Set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, std::vector{dnn_.handle})
        .Finalize("a convolution's graph");
  }

  // The plan of the `variant`-th engine that can be built within the workspace limit.
  Status MakePlan(int variant, Descriptor* plan, int64_t* workspace) {
    Descriptor heuristics;
    TAMIS_RETURN_IF_ERROR(heuristics.Create(dnn_, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR));
    TAMIS_RETURN_IF_ERROR(heuristics.Set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph_)
                              .Set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, std::vector{CUDNN_HEUR_MODE_A})
                              .Finalize("finding engines"));
    constexpr int64_t kMost = 24;
    std::vector<Descriptor> configs(kMost);
    std::vector<cudnnBackendDescriptor_t> handles;
    for (Descriptor& config : configs) {
      TAMIS_RETURN_IF_ERROR(config.Create(dnn_, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
      handles.push_back(config.get());
    }
    int64_t count = 0;
    TAMIS_RETURN_IF_ERROR(dnn_.Check(dnn_.get_attribute(heuristics.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                                        CUDNN_TYPE_BACKEND_DESCRIPTOR, kMost, &count, handles.data()),
                                     "finding engines"));
    Status last = RuntimeError("cuDNN has no engine for it");
    int built = 0;
    for (int64_t i = 0; i < std::min(count, kMost); ++i) {
      if (conv_.dtype == DType::kFloat32 && !conv_.tf32) {
        TAMIS_ASSIGN_OR_RETURN(const bool rounds, RoundsOperands(handles[static_cast<size_t>(i)]));
        if (rounds) continue;
      }
      Descriptor made;
      TAMIS_RETURN_IF_ERROR(made.Create(dnn_, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR));
      last = made.Set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, std::vector{dnn_.handle})
                 .Set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                      std::vector{handles[static_cast<size_t>(i)]})
                 .Finalize("building an engine");
      if (!last.ok()) continue;
      int64_t elements = 0;
      TAMIS_RETURN_IF_ERROR(dnn_.Check(dnn_.get_attribute(made.get(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                                          CUDNN_TYPE_INT64, 1, &elements, workspace),
                                       "asking for a workspace"));
      if (*workspace > kWorkspaceLimit || built++ < variant) continue;
      *plan = std::move(made);
      return {};
    }
    if (!last.ok()) return last;
    return RuntimeError("cuDNN has {} engines for it, number {} was asked for", built, variant);
  }

 private:
  // Whether an engine multiplies on tensor cores, which take f32 as tf32, or converts its operands otherwise.
  Result<bool> RoundsOperands(cudnnBackendDescriptor_t config) {
    Descriptor engine;
    TAMIS_RETURN_IF_ERROR(engine.Create(dnn_, CUDNN_BACKEND_ENGINE_DESCRIPTOR));
    cudnnBackendDescriptor_t handle = engine.get();
    int64_t count = 0;
    TAMIS_RETURN_IF_ERROR(dnn_.Check(
        dnn_.get_attribute(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &handle),
        "asking for an engine"));
    std::array<cudnnBackendNumericalNote_t, CUDNN_NUMERICAL_NOTE_TYPE_COUNT> notes{};
    TAMIS_RETURN_IF_ERROR(
        dnn_.Check(dnn_.get_attribute(handle, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                      static_cast<int64_t>(notes.size()), &count, notes.data()),
                   "asking how an engine computes"));
    return std::any_of(notes.begin(), notes.begin() + std::min<int64_t>(count, static_cast<int64_t>(notes.size())),
                       [](cudnnBackendNumericalNote_t note) {
                         return note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE ||
                                note == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
                       });
  }

  Status AddTensor(int64_t uid, const std::array<int64_t, 4>& dims, cudnnDataType_t type, bool is_virtual,
                   Descriptor** added) {
    tensors_.push_back(std::make_unique<Descriptor>());
    Descriptor& tensor = *tensors_.back();
    *added = &tensor;
    const std::vector<int64_t> strides = {dims[1] * dims[2] * dims[3], 1, dims[1] * dims[3], dims[1]};  // channels last
    TAMIS_RETURN_IF_ERROR(tensor.Create(dnn_, CUDNN_BACKEND_TENSOR_DESCRIPTOR));
    return tensor.Set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, std::vector{uid})
        .Set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, std::vector{type})
        .Set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, std::vector{int64_t{16}})
        .Set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, std::vector<int64_t>(dims.begin(), dims.end()))
        .Set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, strides)
        .Set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, std::vector<char>{is_virtual})
        .Finalize("a tensor");
  }

  Status AddConvolution(const Descriptor& x, const Descriptor& w, const Descriptor& y) {
    TAMIS_RETURN_IF_ERROR(convolution_.Create(dnn_, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR));
    TAMIS_RETURN_IF_ERROR(
        convolution_.Set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, std::vector{int64_t{2}})
            .Set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, std::vector{CUDNN_DATA_FLOAT})
            .Set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, std::vector{CUDNN_CROSS_CORRELATION})
            .Set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, std::vector<int64_t>{conv_.pad_h, conv_.pad_w})
            .Set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64,
                 std::vector<int64_t>{conv_.pad_h_end, conv_.pad_w_end})
            .Set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64,
                 std::vector<int64_t>{conv_.stride_h, conv_.stride_w})
            .Set(CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64,
                 std::vector<int64_t>{conv_.dilation_h, conv_.dilation_w})
            .Finalize("a convolution"));
    operations_.emplace_back();
    Descriptor& operation = operations_.back();
    TAMIS_RETURN_IF_ERROR(operation.Create(dnn_, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR));
    return operation.Set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x)
        .Set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w)
        .Set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, y)
        .Set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, convolution_)
        .Set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, std::vector{1.0f})
        .Set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, std::vector{0.0f})
        .Finalize("a convolution");
  }

  Status AddPointwise(cudnnPointwiseMode_t mode, const Descriptor& x, const Descriptor* b, const Descriptor& y) {
    pointwise_.push_back(std::make_unique<Descriptor>());
    Descriptor& how = *pointwise_.back();
    TAMIS_RETURN_IF_ERROR(how.Create(dnn_, CUDNN_BACKEND_POINTWISE_DESCRIPTOR));
    how.Set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, std::vector{mode});
    how.Set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, std::vector{CUDNN_DATA_FLOAT});
    if (b == nullptr && conv_.activation.kind == Activation::kClip) {
      how.Set(CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP, CUDNN_TYPE_DOUBLE, std::vector<double>{conv_.activation.low});
      how.Set(CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, CUDNN_TYPE_DOUBLE, std::vector<double>{conv_.activation.high});
    }
    TAMIS_RETURN_IF_ERROR(how.Finalize("an epilogue"));
    operations_.emplace_back();
    Descriptor& operation = operations_.back();
    TAMIS_RETURN_IF_ERROR(operation.Create(dnn_, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR));
    operation.Set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how).Set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
    if (b != nullptr) operation.Set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *b);
    return operation.Set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y).Finalize("an epilogue");
  }

  Cudnn& dnn_;
  const CudaConv& conv_;
  std::array<int64_t, 4> y_dims_{};
  std::vector<std::unique_ptr<Descriptor>> tensors_, pointwise_;
  Descriptor convolution_;
  std::vector<Descriptor> operations_;
  Descriptor graph_;
};

// A built engine. Networks repeat their convolutions, and building takes the library milliseconds each.
struct BuiltPlan {
  BuiltPlan(Cudnn& dnn, const CudaConv& shape) : conv(shape), graph(dnn, conv) {}
  CudaConv conv;
  ConvGraph graph;
  Descriptor plan;
  int64_t workspace_bytes = 0;
};

// Everything that a plan depends on. `dnn.mutex` is held.
std::string KeyOf(const Cudnn& dnn, const CudaConv& c, int variant) {
  return fmt::format("{}|{}|{}|{},{},{},{}|{},{},{},{}|{},{},{},{}|{},{},{},{},{},{}|{},{},{},{},{}|{},{},{}",
                     static_cast<const void*>(&dnn), variant, Name(c.dtype), c.batch, c.channels, c.outputs, c.group,
                     c.in_h, c.in_w, c.out_h, c.out_w, c.kernel_h, c.kernel_w, c.stride_h, c.stride_w, c.pad_h, c.pad_w,
                     c.pad_h_end, c.pad_w_end, c.dilation_h, c.dilation_w, c.bias, c.residual, c.residual_f32,
                     c.output_f32, c.tf32, static_cast<int>(c.activation.kind), c.activation.low, c.activation.high);
}

Result<std::shared_ptr<const BuiltPlan>> PlanFor(Cudnn& dnn, const CudaConv& conv, int variant) {
  static auto* const kPlans = new std::map<std::string, std::weak_ptr<const BuiltPlan>>;
  std::lock_guard lock(dnn.mutex);
  std::weak_ptr<const BuiltPlan>& entry = (*kPlans)[KeyOf(dnn, conv, variant)];
  if (auto built = entry.lock()) return built;
  auto built = std::make_shared<BuiltPlan>(dnn, conv);
  TAMIS_RETURN_IF_ERROR(built->graph.Make());
  TAMIS_RETURN_IF_ERROR(built->graph.MakePlan(variant, &built->plan, &built->workspace_bytes));
  entry = built;
  return std::shared_ptr<const BuiltPlan>(std::move(built));
}

class ConvCudnn : public CudaKernel {
 public:
  // `conv` is what the node asks for; `built` may lack all that comes after the convolution.
  ConvCudnn(Cudnn& dnn, const CudaConv& conv, bool finishes, std::shared_ptr<const BuiltPlan> built)
      : dnn_(dnn), conv_(conv), finishes_(finishes), built_(std::move(built)) {}

  size_t WorkspaceBytes() const override { return static_cast<size_t>(built_->workspace_bytes); }

  Status Enqueue(std::span<const void* const> in, std::span<void* const> out, void* workspace,
                 cudaStream_t stream) const override {
    TAMIS_RETURN_IF_ERROR(Convolve(in, out[0], workspace, stream));
    if (!finishes_) return {};
    FinishRowsArgs finish = FinishRowsOf(conv_, conv_.Rows());
    finish.y = out[0];
    finish.bias = conv_.bias ? static_cast<const float*>(in[2]) : nullptr;
    finish.residual = conv_.residual ? in[3] : nullptr;
    return CudaStatus(LaunchFinishRows(finish, stream), "conv_cudnn");
  }

 private:
  Status Convolve(std::span<const void* const> in, void* y, void* workspace, cudaStream_t stream) const {
    std::vector<int64_t> uids = {kX, kW, kY};
    std::vector<const void*> addresses = {in[0], in[1], y};
    if (built_->conv.bias) uids.push_back(kBias), addresses.push_back(in[2]);
    if (built_->conv.residual) uids.push_back(kResidual), addresses.push_back(in[3]);
    Descriptor pack;
    std::lock_guard lock(dnn_.mutex);
    TAMIS_RETURN_IF_ERROR(pack.Create(dnn_, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR));
    TAMIS_RETURN_IF_ERROR(
        pack.Set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, uids)
            .Set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, addresses)
            .Set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, std::vector<const void*>{workspace})
            .Finalize("binding operands"));
    TAMIS_CUDA_RETURN_IF_ERROR(SettleStream(stream));
    TAMIS_RETURN_IF_ERROR(dnn_.Check(dnn_.set_stream(dnn_.handle, stream), "choosing a stream"));
    return dnn_.Check(dnn_.execute(dnn_.handle, built_->plan.get(), pack.get()), "a convolution");
  }

  Cudnn& dnn_;
  CudaConv conv_;
  bool finishes_;
  std::shared_ptr<const BuiltPlan> built_;
};

// Variants of the two kinds.
struct Offer {
  CudaConv conv;
  int fused = 0, alone = 0;
};

Result<Offer> Read(const Problem& problem) {
  const DType x = problem.input(0).dtype;
  Offer offer;
  TAMIS_ASSIGN_OR_RETURN(offer.conv, ReadCudaConv(problem, IsComputedFloat(x) ? x : DType::kFloat16));
  const CudaConv& conv = offer.conv;
  if (conv.group > 1 && conv.group == conv.channels) return UserError("a filter for each channel");
  const Activation kind = conv.activation.kind;
  if (kind == Activation::kNone || kind == Activation::kRelu || kind == Activation::kClip) offer.fused = kFused;
  if (conv.dtype != DType::kFloat16 && conv.outputs % 8 == 0) offer.alone = kAlone;
  if (offer.fused + offer.alone == 0) {
    return UserError("the activation is fused by cuDNN only if it is ReLU or Clip, and our own pass takes {}",
                     conv.dtype == DType::kFloat16 ? "bfloat16 or float32" : "multiples of 8 outputs");
  }
  return offer;
}

Result<int> Supports(const Problem& problem, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Offer offer, Read(problem));
  TAMIS_RETURN_IF_ERROR(context.cudnn().status());
  return offer.fused + offer.alone;
}

Result<std::unique_ptr<CudaKernel>> Prepare(const Problem& problem, int variant, PrepareContext& context) {
  TAMIS_ASSIGN_OR_RETURN(const Offer offer, Read(problem));
  TAMIS_ASSIGN_OR_RETURN(Cudnn * dnn, context.cudnn());
  CudaConv built_conv = offer.conv;
  const bool alone = variant >= offer.fused;
  if (alone) {
    built_conv.bias = built_conv.residual = built_conv.residual_f32 = false;
    built_conv.activation = {};
  }
  TAMIS_ASSIGN_OR_RETURN(auto built, PlanFor(*dnn, built_conv, alone ? variant - offer.fused : variant));
  return std::unique_ptr<CudaKernel>(std::make_unique<ConvCudnn>(*dnn, offer.conv, alone, std::move(built)));
}

}  // namespace

extern const CudaKernelDef cuda_kernel_conv_cudnn = {.name = "conv_cudnn",
                                                     .family = "conv",
                                                     .ops = {"ChannelsLastConv"},
                                                     .preference = 30,
                                                     .supports = Supports,
                                                     .prepare = Prepare};

}  // namespace tamis::cuda
