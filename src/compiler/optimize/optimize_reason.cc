#include "src/compiler/optimize/optimize_reason.h"

#include <fmt/format.h>

namespace tamis {

std::string ReasonOf(const CandidateLayer& layer, const LayerRow& row, const LayerSetting& setting,
                     const ReasonOptions& options) {
  std::string reason;
  const auto add = [&](const std::string& text) { reason += (reason.empty() ? "" : "; ") + text; };
  const auto slower = [&](const LayerSetting& than) {
    return fmt::format("{:.3f} ms against {:.3f} ms", row.SecondsAs(than) * 1e3,
                       row.SecondsAs({LayerPattern::kDense, LayerType::kFull}) * 1e3);
  };
  if (!setting.IsSparse()) {
    const double* seconds = row.TimesAs(setting.type).seconds;
    if (!layer.sparse_reason.empty()) {
      add("dense: " + layer.sparse_reason);
    } else if (!row.May(LayerPattern::kTwoFour) && !row.May(LayerPattern::kPaired)) {
      add(fmt::format("dense: 2:4 is not faster ({:.3f} ms, paired {:.3f} ms, dense {:.3f} ms)", seconds[1] * 1e3,
                      seconds[2] * 1e3, seconds[0] * 1e3));
    } else {
      add("dense for accuracy");
    }
  }
  if (!setting.IsInt8()) {
    if (!options.int8) {
      add("float: as asked");
    } else if (!layer.int8_reason.empty()) {
      add("float: " + layer.int8_reason);
    } else if (!row.May(LayerType::kInt8)) {
      add("float: int8 is not faster (" + slower({LayerPattern::kDense, LayerType::kInt8}) + ")");
    } else {
      add("float for accuracy");
    }
  }
  if (setting.type == LayerType::kFull && options.asks_bfloat16 && row.CanBe(LayerType::kBFloat16)) {
    add(row.May(LayerType::kBFloat16)
            ? "f32 for accuracy"
            : "f32: bf16 is not faster (" + slower({LayerPattern::kDense, LayerType::kBFloat16}) + ")");
  }
  return reason;
}

}  // namespace tamis
