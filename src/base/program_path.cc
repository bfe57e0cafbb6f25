#include "src/base/program_path.h"

#include <dlfcn.h>

#include <filesystem>

namespace tamis {

std::string ProgramPath(const std::string& name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto beside = self.parent_path() / name;
  if (std::filesystem::exists(beside, error)) return beside.string();
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&ProgramPath), &info) != 0 && info.dli_fname != nullptr) {
    const auto library = std::filesystem::absolute(info.dli_fname, error);
    const auto packaged = library.parent_path() / "bin" / name;
    if (std::filesystem::exists(packaged, error)) return packaged.string();
  }
  return beside.string();
}

}  // namespace tamis
