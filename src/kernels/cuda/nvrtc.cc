#include "src/kernels/cuda/nvrtc.h"

#include <cuda.h>
#if __has_include(<nvrtc.h>)
#include <nvrtc.h>
#define TAMIS_HAVE_NVRTC  // toolkits in parts may come without it
#endif

#include "src/kernels/cuda/cuda_kernel.h"
#include "src/kernels/cuda/launch.h"

namespace tamis::cuda {

#ifdef TAMIS_HAVE_NVRTC
struct Nvrtc::Functions {
  decltype(&nvrtcCreateProgram) create = nullptr;
  decltype(&nvrtcDestroyProgram) destroy = nullptr;
  decltype(&nvrtcCompileProgram) compile = nullptr;
  decltype(&nvrtcGetCUBINSize) code_size = nullptr;
  decltype(&nvrtcGetCUBIN) code = nullptr;
  decltype(&nvrtcGetProgramLogSize) log_size = nullptr;
  decltype(&nvrtcGetProgramLog) log = nullptr;
  decltype(&nvrtcGetErrorString) error = nullptr;
};
#else
struct Nvrtc::Functions {};
#endif

namespace {

// The driver's functions, which the runtime has loaded; linking them would ask for a driver.
struct Driver {
  decltype(&cuModuleLoadData) load = nullptr;
  decltype(&cuModuleUnload) unload = nullptr;
  decltype(&cuModuleGetFunction) function = nullptr;
  decltype(&cuLaunchKernelEx) launch = nullptr;
  decltype(&cuGetErrorString) error = nullptr;

  Status Check(CUresult result, const char* what) const {
    if (result == CUDA_SUCCESS) return {};
    const char* text = nullptr;
    error(result, &text);
    return RuntimeError("{}: {}", what, text != nullptr ? text : "an unknown error");
  }
};

template <class F>
Status FindInDriver(const char* name, F** function) {
  void* address = nullptr;
  cudaDriverEntryPointQueryResult found{};
#if CUDART_VERSION >= 12050
  const cudaError_t error = cudaGetDriverEntryPointByVersion(name, &address, 12000, cudaEnableDefault, &found);
#else
  const cudaError_t error = cudaGetDriverEntryPoint(name, &address, cudaEnableDefault, &found);
#endif
  TAMIS_RETURN_IF_ERROR(CudaStatus(error, name));
  if (found != cudaDriverEntryPointSuccess) return RuntimeError("the driver has no function {}", name);
  *function = reinterpret_cast<F*>(address);
  return {};
}

Result<Driver> FindDriver() {
  Driver driver;
  TAMIS_RETURN_IF_ERROR(FindInDriver("cuModuleLoadData", &driver.load));
  TAMIS_RETURN_IF_ERROR(FindInDriver("cuModuleUnload", &driver.unload));
  TAMIS_RETURN_IF_ERROR(FindInDriver("cuModuleGetFunction", &driver.function));
  TAMIS_RETURN_IF_ERROR(FindInDriver("cuLaunchKernelEx", &driver.launch));
  TAMIS_RETURN_IF_ERROR(FindInDriver("cuGetErrorString", &driver.error));
  return driver;
}

const Result<Driver>& TheDriver() {
  static const auto* const kDriver = new Result<Driver>(FindDriver());
  return *kDriver;
}

}  // namespace

std::string Nvrtc::Version() const {
  return fmt::format("NVRTC {}.{}", major_, minor_);
}

#ifdef TAMIS_HAVE_NVRTC

Result<const Nvrtc*> Nvrtc::Get() {
  static const auto* const kNvrtc = new Result<const Nvrtc*>([]() -> Result<const Nvrtc*> {
    auto nvrtc = std::unique_ptr<Nvrtc>(new Nvrtc());
    auto functions = std::make_shared<Functions>();
    const std::string major = std::to_string(CUDART_VERSION / 1000);
    TAMIS_ASSIGN_OR_RETURN(nvrtc->library_, DynamicLibrary::Open({"libnvrtc.so." + major}));
    const DynamicLibrary& library = nvrtc->library_;
    decltype(&nvrtcVersion) version = nullptr;
    TAMIS_RETURN_IF_ERROR(library.Find("nvrtcVersion", &version));
    TAMIS_RETURN_IF_ERROR(library.Find("nvrtcCreateProgram", &functions->create));
    TAMIS_RETURN_IF_ERROR(library.Find("nvrtcDestroyProgram", &functions->destroy));
    TAMIS_RETURN_IF_ERROR(library.Find("nvrtcCompileProgram", &functions->compile));
    TAMIS_RETURN_IF_ERROR(library.Find("nvrtcGetCUBINSize", &functions->code_size));
    TAMIS_RETURN_IF_ERROR(library.Find("nvrtcGetCUBIN", &functions->code));
    TAMIS_RETURN_IF_ERROR(library.Find("nvrtcGetProgramLogSize", &functions->log_size));
    TAMIS_RETURN_IF_ERROR(library.Find("nvrtcGetProgramLog", &functions->log));
    TAMIS_RETURN_IF_ERROR(library.Find("nvrtcGetErrorString", &functions->error));
    version(&nvrtc->major_, &nvrtc->minor_);
    nvrtc->functions_ = std::move(functions);
    return static_cast<const Nvrtc*>(nvrtc.release());
  }());
  return *kNvrtc;
}

Result<std::vector<char>> Nvrtc::Compile(const std::string& source, int compute) const {
  const Functions& f = *functions_;
  nvrtcProgram program = nullptr;
  const auto check = [&](nvrtcResult result, const char* what) -> Status {
    if (result == NVRTC_SUCCESS) return {};
    return RuntimeError("NVRTC: {}: {}", what, f.error(result));
  };
  TAMIS_RETURN_IF_ERROR(
      check(f.create(&program, source.c_str(), "generated.cu", 0, nullptr, nullptr), "making a program"));
  const std::shared_ptr<void> destroyed(nullptr, [&](void*) { f.destroy(&program); });
  const std::string architecture = fmt::format("--gpu-architecture=sm_{}", compute);
  const char* const options[] = {architecture.c_str(), "--std=c++17"};
  if (const nvrtcResult result = f.compile(program, 2, options); result != NVRTC_SUCCESS) {
    size_t size = 0;
    f.log_size(program, &size);
    std::string log(size, '\0');
    if (size > 0) f.log(program, log.data());
    return RuntimeError("NVRTC: {}: {}", f.error(result), log);
  }
  size_t size = 0;
  TAMIS_RETURN_IF_ERROR(check(f.code_size(program, &size), "asking for code"));
  std::vector<char> code(size);
  TAMIS_RETURN_IF_ERROR(check(f.code(program, code.data()), "asking for code"));
  return code;
}

#else

Result<const Nvrtc*> Nvrtc::Get() {
  return RuntimeError("NVRTC: the backend was built without its header");
}

Result<std::vector<char>> Nvrtc::Compile(const std::string&, int) const {
  return Get().status();
}

#endif

Result<std::shared_ptr<const LoadedKernel>> LoadedKernel::Load(const std::vector<char>& code, const char* name) {
  TAMIS_ASSIGN_OR_RETURN(const Driver driver, TheDriver());
  auto loaded = std::shared_ptr<LoadedKernel>(new LoadedKernel());
  CUmodule module = nullptr;
  TAMIS_RETURN_IF_ERROR(driver.Check(driver.load(&module, code.data()), "loading generated code"));
  loaded->module_ = module;
  CUfunction function = nullptr;
  TAMIS_RETURN_IF_ERROR(driver.Check(driver.function(&function, module, name), "finding a generated kernel"));
  loaded->function_ = function;
  return std::shared_ptr<const LoadedKernel>(std::move(loaded));
}

LoadedKernel::~LoadedKernel() {
  if (module_ != nullptr) TheDriver()->unload(static_cast<CUmodule>(module_));
}

Status LoadedKernel::Launch(unsigned blocks, unsigned threads, void** arguments, cudaStream_t stream) const {
  CUlaunchConfig config{};
  config.gridDimX = blocks, config.gridDimY = config.gridDimZ = 1;
  config.blockDimX = threads, config.blockDimY = config.blockDimZ = 1;
  config.hStream = stream;
  CUlaunchAttribute serial{};
  if (MayOverlapLaunches()) {
    serial.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
    serial.value.programmaticStreamSerializationAllowed = 1;
    config.attrs = &serial;
    config.numAttrs = 1;
  }
  const Driver& driver = *TheDriver();
  return driver.Check(driver.launch(&config, static_cast<CUfunction>(function_), arguments, nullptr),
                      "a generated kernel");
}

}  // namespace tamis::cuda
