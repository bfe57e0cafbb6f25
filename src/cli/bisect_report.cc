#include "src/cli/bisect_report.h"

#include <fmt/format.h>

namespace tamis {
namespace {

std::string Range(const TracedOperand& operand) {
  if (operand.kind == "sequence") return fmt::format("{}, a sequence of {}", operand.name, operand.dims[0]);
  if (operand.kind != "tensor") return fmt::format("{}, {}", operand.name, operand.kind);
  std::string text = fmt::format("{} {}{} in [{:.6g}, {:.6g}]", operand.name, Name(operand.dtype),
                                 ToString(operand.dims), operand.min, operand.max);
  if (operand.not_finite > 0) text += fmt::format(", {} not finite", operand.not_finite);
  if (operand.constant) text += ", constant";
  return text;
}

void PrintParting(const Parting& parting) {
  fmt::print("  first wrong value  {}\n", parting.value);
  fmt::print("  made by            {}{}, kernel {}\n", parting.op,
             parting.node.empty() ? "" : fmt::format(" '{}'", parting.node), parting.kernel);
  if (!parting.other_op.empty() && parting.other_op != parting.op) {
    fmt::print("  judged against     {}\n", parting.other_op);
  }
  fmt::print("  max |a-b|          {:.4g} ({:.4g} of max |b|)\n", parting.error.absolute, parting.error.relative);
  for (const TracedOperand& input : parting.inputs) fmt::print("  input              {}\n", Range(input));
  for (const std::string& suspect : parting.suspects) fmt::print("  may be at fault    {}\n", suspect);
}

std::string Title(const BisectReport& report) {
  if (report.stage == "passes") return "passes switched on one after another, by reference";
  if (report.stage == "blocks") return "blocks of layers against their layers one by one";
  if (report.stage == "kernels") return "kernels against references, node by node";
  return "the two networks, by reference";
}

}  // namespace

void PrintBisection(std::span<const BisectReport> reports, double tolerance) {
  bool parted = false;
  for (const BisectReport& report : reports) {
    fmt::print("{}\n", Title(report));
    for (const BisectTrial& trial : report.trials) {
      if (!trial.failed.empty()) {
        fmt::print("  {}: {}\n", trial.what, trial.failed);
      } else {
        fmt::print("  {}: {:.3g}{}\n", trial.what, trial.error, trial.error > tolerance ? " (parts)" : "");
      }
    }
    if (!report.parted()) fmt::print("  nothing differs by more than {:g} of its largest magnitude\n", tolerance);
    if (!report.pass.empty()) fmt::print("  pass at fault      {}\n", report.pass);
    if (report.parting) PrintParting(*report.parting);
    parted = parted || report.parted();
  }
  if (!parted) fmt::print("the runs do not part\n");
}

void WriteBisection(std::span<const BisectReport> reports, double tolerance, JsonWriter* json) {
  json->BeginObject().Field("tolerance", tolerance).Key("stages").BeginArray();
  for (const BisectReport& report : reports) {
    json->BeginObject().Field("stage", report.stage).Field("parted", report.parted()).Field("pass", report.pass);
    json->Key("trials").BeginArray();
    for (const BisectTrial& trial : report.trials) {
      json->BeginObject().Field("what", trial.what).Field("error", trial.error).Field("failed", trial.failed);
      json->EndObject();
    }
    json->EndArray();
    if (report.parting) {
      const Parting& parting = *report.parting;
      json->Key("parting").BeginObject().Field("value", parting.value).Field("operator", parting.op);
      json->Field("node", parting.node).Field("judged_against", parting.other_op).Field("kernel", parting.kernel);
      json->Field("max_absolute_error", parting.error.absolute);
      json->Field("max_relative_error", parting.error.relative).Key("inputs").BeginArray();
      for (const TracedOperand& input : parting.inputs) {
        json->BeginObject()
            .Field("name", input.name)
            .Field("kind", input.kind)
            .Field("dtype", Name(input.dtype))
            .Field("dims", input.dims);
        json->Field("min", input.min).Field("max", input.max).Field("not_finite", input.not_finite);
        json->Field("constant", input.constant).EndObject();
      }
      json->EndArray().Key("suspects").BeginArray();
      for (const std::string& suspect : parting.suspects) json->Value(suspect);
      json->EndArray().EndObject();
    }
    json->EndObject();
  }
  json->EndArray().EndObject();
}

}  // namespace tamis
