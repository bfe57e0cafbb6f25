#include "src/ops/op_custom.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <limits>
#include <mutex>
#include <set>

#include "src/ops/op_custom_host.h"

namespace tamis {
namespace {

// An operator as this program knows it, whatever size the library's struct had.
struct Registered {
  std::string name, domain;
  CustomOpSource source;
  TamisCustomOp op{};
  OpDef def;
};

struct Registry {
  std::mutex mutex;
  std::deque<Registered> ops;  // addresses stay
  std::set<std::string> files;
};

Registry& TheRegistry() {
  static auto* const kRegistry = new Registry();
  return *kRegistry;
}

const Registered* Find(std::string_view name, std::string_view domain) {
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  for (const Registered& known : registry.ops) {
    if (known.name == name && known.domain == domain) return &known;
  }
  return nullptr;
}

// The fields that the library's struct has; those it does not have are zero.
template <class T>
T CopyBySize(const T* from) {
  T copy{};
  std::memcpy(&copy, from, std::min<size_t>(from->struct_size, sizeof(T)));
  return copy;
}

Status InferCustom(InferContext& context) {
  const Registered* known = Find(context.node().op, context.node().domain);
  if (known == nullptr) return context.Error("is not loaded");
  return CallInfer(known->op, context);
}

Status EvalCustom(EvalContext& context) {
  const Registered* known = Find(context.node.op, context.node.domain);
  if (known == nullptr) return context.Error("is not loaded");
  return CallCompute(known->op, context);
}

// Why an operator can't be taken; empty if it can.
std::string Problem(const TamisCustomOp* given, size_t index) {
  if (given == nullptr) return fmt::format("operator {} is a null pointer", index);
  constexpr size_t kSmallest = offsetof(TamisCustomOp, compute) + sizeof(given->compute);
  if (given->struct_size < kSmallest) {
    return fmt::format("operator {} has a struct of {} bytes; the first version's has {}", index, given->struct_size,
                       kSmallest);
  }
  if (given->name == nullptr || *given->name == '\0') return fmt::format("operator {} has no name", index);
  const std::string name = given->name;
  if (given->infer == nullptr || given->compute == nullptr) return "'" + name + "' lacks infer or compute";
  const std::string domain = given->domain == nullptr ? "" : given->domain;
  if (domain.empty() || domain == "ai.onnx" || domain == kTamisDomain) {
    return fmt::format("'{}' is of domain '{}'; it needs one of its own", name, domain);
  }
  if (FindOp(name, domain) != nullptr) return fmt::format("'{}' of '{}' is there already", name, domain);
  if (given->outputs == 0 || given->max_inputs < given->min_inputs) {
    return fmt::format("'{}' takes {} to {} inputs and has {} outputs", name, given->min_inputs, given->max_inputs,
                       given->outputs);
  }
  return {};
}

Status LoadFile(const std::string& file) {
  void* const handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return UserError("'{}' can't be loaded: {}", file, dlerror());
  const auto function = reinterpret_cast<TamisCustomOpsFunction>(dlsym(handle, "tamis_custom_ops"));
  if (function == nullptr) {
    dlclose(handle);
    return UserError("'{}' exports no function tamis_custom_ops", file);
  }
  const TamisCustomOpLibrary* const library = function(TAMIS_CUSTOM_OP_ABI);
  // From here on it stays loaded: its code may have started threads or registered handlers.
  if (library == nullptr) {
    return UserError("'{}' can't work with version {} of the custom operator interface", file, TAMIS_CUSTOM_OP_ABI);
  }
  return RegisterCustomOps(*library, file);
}

}  // namespace

Status RegisterCustomOps(const TamisCustomOpLibrary& given, const std::string& file) {
  constexpr size_t kSmallest = offsetof(TamisCustomOpLibrary, op_count) + sizeof(given.op_count);
  if (given.struct_size < kSmallest) {
    return UserError("'{}': its TamisCustomOpLibrary has {} bytes; the first version's has {}", file, given.struct_size,
                     kSmallest);
  }
  const TamisCustomOpLibrary library = CopyBySize(&given);
  if (library.abi != TAMIS_CUSTOM_OP_ABI) {
    return UserError("'{}' is built for version {} of the custom operator interface, this program speaks {}", file,
                     library.abi, TAMIS_CUSTOM_OP_ABI);
  }
  if (library.op_count > 0 && library.ops == nullptr) return UserError("'{}' has no list of operators", file);
  std::string problems;
  for (size_t i = 0; i < library.op_count; ++i) {
    if (const std::string problem = Problem(library.ops[i], i); !problem.empty()) {
      problems += (problems.empty() ? "" : "; ") + problem;
      continue;
    }
    Registry& registry = TheRegistry();
    const std::lock_guard lock(registry.mutex);
    Registered& known = registry.ops.emplace_back();
    known.op = CopyBySize(library.ops[i]);
    known.name = known.op.name;
    known.domain = known.op.domain;
    known.source = {library.name == nullptr ? "" : library.name, library.version == nullptr ? "" : library.version,
                    file};
    known.def.name = known.name;
    known.def.domain = known.domain;
    known.def.since_opset = known.op.since_opset;
    known.def.infer = InferCustom;
    known.def.eval = EvalCustom;
    known.def.widen_half = false;
  }
  if (!problems.empty()) return UserError("'{}': {}", file, problems);
  return {};
}

Status LoadCustomOps(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".so") files.push_back(std::filesystem::absolute(entry.path()).string());
  }
  if (error) return UserError("the folder of custom operators '{}' can't be read: {}", folder, error.message());
  std::sort(files.begin(), files.end());
  std::string problems;
  for (const std::string& file : files) {
    {
      Registry& registry = TheRegistry();
      const std::lock_guard lock(registry.mutex);
      if (!registry.files.insert(file).second) continue;
    }
    if (const Status loaded = LoadFile(file); !loaded.ok()) {
      problems += (problems.empty() ? "" : "; ") + loaded.message();
    }
  }
  if (!problems.empty()) return UserError("custom operators: {}", problems);
  return {};
}

Status LoadCustomOpsFromEnvironment() {
  static const Status kLoaded = [] {
    const char* const folder = std::getenv("TAMIS_CUSTOM_OPS");
    return folder == nullptr || *folder == '\0' ? Status() : LoadCustomOps(folder);
  }();
  return kLoaded;
}

const OpDef* FindCustomOp(std::string_view name, std::string_view domain) {
  const Registered* known = Find(name, domain);
  return known == nullptr ? nullptr : &known->def;
}

const CustomOpSource* FindCustomOpSource(std::string_view name, std::string_view domain) {
  const Registered* known = Find(name, domain);
  return known == nullptr ? nullptr : &known->source;
}

}  // namespace tamis
