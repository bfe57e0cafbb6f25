#include "src/kernels/onednn.h"

#include <dlfcn.h>

#include <cstring>

#include "src/base/hash.h"

namespace tamis::onednn {
namespace {

// The OpenMP runtime that oneDNN was linked with, whichever it is; none if oneDNN was built without OpenMP. Linking one
// ourselves could bring a second runtime into the process.
struct OpenMp {
  int (*get_max_threads)() = reinterpret_cast<int (*)()>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
  void (*set_num_threads)(int) = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
};
const OpenMp& Runtime() {
  static const OpenMp kRuntime;
  return kRuntime;
}

dnnl::algorithm EltwiseAlgorithm(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      break;
    case Activation::kRelu:
      return dnnl::algorithm::eltwise_relu;
    case Activation::kClip:
      return dnnl::algorithm::eltwise_clip;
    case Activation::kGelu:
      return dnnl::algorithm::eltwise_gelu_erf;
    case Activation::kGeluTanh:
      return dnnl::algorithm::eltwise_gelu_tanh;
    case Activation::kSilu:
      return dnnl::algorithm::eltwise_swish;
    case Activation::kHardSwish:
      return dnnl::algorithm::eltwise_hardswish;
    case Activation::kSigmoid:
      return dnnl::algorithm::eltwise_logistic;
    case Activation::kTanh:
      return dnnl::algorithm::eltwise_tanh;
    case Activation::kLeakyRelu:
      return dnnl::algorithm::eltwise_relu;
    case Activation::kElu:
      return dnnl::algorithm::eltwise_elu;
    case Activation::kHardSigmoid:
      return dnnl::algorithm::eltwise_linear;  // and a clip
    case Activation::kSwish:
      return dnnl::algorithm::eltwise_swish;
    case Activation::kMish:
      return dnnl::algorithm::eltwise_mish;
  }
  return dnnl::algorithm::undef;
}

}  // namespace

const dnnl::engine& Engine() {
  static const dnnl::engine kEngine(dnnl::engine::kind::cpu, 0);
  return kEngine;
}

dnnl::memory::data_type DataType(DType dtype) {
  TAMIS_ASSERT(dtype == DType::kFloat32 || dtype == DType::kBFloat16);
  return dtype == DType::kFloat32 ? dnnl::memory::data_type::f32 : dnnl::memory::data_type::bf16;
}

SingleThread::SingleThread() : before_(Runtime().get_max_threads ? Runtime().get_max_threads() : 1) {
  if (before_ != 1 && Runtime().set_num_threads) Runtime().set_num_threads(1);
}
SingleThread::~SingleThread() {
  if (before_ != 1 && Runtime().set_num_threads) Runtime().set_num_threads(before_);
}

dnnl::primitive_attr EpilogueAttributes(const Epilogue& epilogue, const std::optional<dnnl::memory::desc>& residual) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops operations;
  if (epilogue.residual && residual) operations.append_binary(dnnl::algorithm::binary_add, *residual);
  if (epilogue.residual && !residual) operations.append_sum();
  if (epilogue.activation != Activation::kNone) {
    float alpha = 0;
    float beta = 0;
    if (epilogue.activation == Activation::kClip) {
      alpha = epilogue.clip_min;
      beta = epilogue.clip_max;
    }
    if (epilogue.activation == Activation::kSilu) alpha = 1;
    if (epilogue.activation != Activation::kClip && HasParameters(epilogue.activation)) {
      alpha = epilogue.alpha;
      beta = epilogue.beta;
    }
    operations.append_eltwise(1.F, EltwiseAlgorithm(epilogue.activation), alpha, beta);
    if (epilogue.activation == Activation::kHardSigmoid) {
      operations.append_eltwise(1.F, dnnl::algorithm::eltwise_clip, 0.F, 1.F);
    }
  }
  attributes.set_post_ops(operations);
  return attributes;
}

std::shared_ptr<const PackedBytes> PackWeight(PackCache& cache, uint64_t hash, const std::string& part,
                                              const dnnl::memory::desc& from, const void* plain,
                                              const dnnl::memory::desc& to) {
  const std::string packing = fmt::format("onednn/{}/{}", part, HexString(Hash64(&to.data, sizeof(to.data))));
  auto packed = cache.Get(hash, packing, [&] {
    auto bytes = std::make_shared<PackedBytes>(to.get_size());
    dnnl::memory source(from, Engine(), const_cast<void*>(plain));
    dnnl::memory target(to, Engine(), bytes->data());
    dnnl::stream stream(Engine());
    dnnl::reorder(source, target).execute(stream, source, target);
    stream.wait();
    return bytes;
  });
  return std::static_pointer_cast<const PackedBytes>(packed);
}

struct PartsKernel::Bindings {
  struct OfPart {
    dnnl::stream stream{Engine()};
    std::vector<dnnl::memory> memories;
    std::vector<dnnl_exec_arg_t> arguments;
  };
  std::vector<OfPart> parts;
};

PartsKernel::PartsKernel(std::vector<Part> parts) : parts_(std::move(parts)) {
  for (Part& part : parts_) {
    for (Argument& argument : part.arguments) {
      if (argument.source != Source::kScratch) continue;
      argument.offset = workspace_bytes_;
      workspace_bytes_ += (argument.desc.get_size() + 63) / 64 * 64;
    }
  }
  idle_.push_back(Borrow());
}

PartsKernel::~PartsKernel() = default;

std::unique_ptr<PartsKernel::Bindings> PartsKernel::Borrow() const {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto bindings = std::move(idle_.back());
      idle_.pop_back();
      return bindings;
    }
  }
  auto bindings = std::make_unique<Bindings>();
  for (const Part& part : parts_) {
    Bindings::OfPart& of_part = bindings->parts.emplace_back();
    for (const Argument& argument : part.arguments) {
      dnnl::memory& memory = of_part.memories.emplace_back(argument.desc, Engine(), static_cast<void*>(nullptr));
      of_part.arguments.push_back({argument.id, memory.get()});
    }
  }
  return bindings;
}

void PartsKernel::Run(std::span<const void* const> inputs, std::span<void* const> outputs, std::byte* workspace,
                      ThreadPool& pool) const {
  std::unique_ptr<Bindings> bindings = Borrow();
  const auto run_part = [&](int index) {
    const SingleThread single;
    const Part& part = parts_[static_cast<size_t>(index)];
    Bindings::OfPart& bound = bindings->parts[static_cast<size_t>(index)];
    for (size_t i = 0; i < part.arguments.size(); ++i) {
      const Argument& argument = part.arguments[i];
      const std::byte* base = nullptr;
      switch (argument.source) {
        case Source::kInput:
          base = static_cast<const std::byte*>(inputs[argument.index]);
          break;
        case Source::kOutput:
          base = static_cast<const std::byte*>(outputs[argument.index]);
          break;
        case Source::kWeight:
          base = part.weight->data();
          break;
        case Source::kScratch:
          base = workspace;
          break;
      }
      dnnl_memory_set_data_handle(bound.memories[i].get(), const_cast<std::byte*>(base) + argument.offset);
    }
    if (part.copy_bytes > 0) {
      auto* to = static_cast<std::byte*>(outputs[0]) + part.copy_offset;
      const auto* from = static_cast<const std::byte*>(inputs[part.copy_from]) + part.copy_offset;
      if (to != from) std::memcpy(to, from, part.copy_bytes);
    }
    const dnnl_status_t status = dnnl_primitive_execute(
        part.primitive.get(), bound.stream.get(), static_cast<int>(bound.arguments.size()), bound.arguments.data());
    TAMIS_ASSERT(status == dnnl_success);
    TAMIS_ASSERT(dnnl_stream_wait(bound.stream.get()) == dnnl_success);
    if (part.finish) part.finish(outputs[0]);
  };
  pool.Run(static_cast<int>(parts_.size()), [&run_part](int part) { run_part(part); });
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(bindings));
}

}  // namespace tamis::onednn
