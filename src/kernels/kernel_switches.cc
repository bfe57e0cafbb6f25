#include "src/kernels/kernel_switches.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "src/kernels/kernel.h"

namespace tamis {
namespace {

const std::vector<std::string_view>& Texts() {
  static const std::vector<std::string_view> kTexts = [] {
    std::vector<std::string_view> texts;
    const char* const variable = std::getenv("TAMIS_WITHOUT_KERNELS");
    std::string_view rest = variable != nullptr ? variable : "";
    while (!rest.empty()) {
      const size_t end = std::min(rest.find(','), rest.size());
      if (end > 0) texts.push_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return texts;
  }();
  return kTexts;
}

bool Fits(std::string_view text, std::string_view kernel) {
  return kernel.find(text) != std::string_view::npos;
}

}  // namespace

bool SwitchedOff(std::string_view kernel) {
  const auto& texts = Texts();
  return std::any_of(texts.begin(), texts.end(), [&](std::string_view text) { return Fits(text, kernel); });
}

Status CheckKernelSwitches() {
  const auto kernels = AllKernels();
  std::vector<std::string_view> unknown;
  for (const std::string_view text : Texts()) {
    const auto fits = [&](const KernelDef* kernel) { return Fits(text, kernel->name); };
    if (std::none_of(kernels.begin(), kernels.end(), fits)) unknown.push_back(text);
  }
  if (unknown.empty()) return {};
  return UserError(
      "TAMIS_WITHOUT_KERNELS: no kernel's name contains '{}'; it takes parts of names, as in strassen,winograd",
      fmt::join(unknown, "', '"));
}

}  // namespace tamis
