#include "src/compiler/gate/gate_report.h"

#include <fmt/format.h>

#include "src/base/cpu.h"
#include "src/base/hash.h"
#include "src/base/json_writer.h"
#include "src/base/version.h"
#include "src/base/xml_escape.h"

namespace tamis {
namespace {

std::string Title(const GateCheck& check) {
  return check.output.empty() ? check.name : fmt::format("{} of '{}'", check.name, check.output);
}

// "budget 1.5" and what follows from it.
std::string LimitText(const GateCheck& check, bool strict) {
  if (!check.limit) return "not judged";
  std::string text = fmt::format("limit {:g}: {}", *check.limit, Name(check.verdict));
  if (check.verdict != Verdict::kUnproven) return text;
  text += strict ? ", which --strict refuses; the interval reaches beyond the limit"
                 : ", within the limit, but the interval reaches beyond it";
  if (check.samples_needed > 0) text += fmt::format("; about {} samples would tell", check.samples_needed);
  return text;
}

std::string XmlAttribute(std::string_view name, std::string_view value) {
  return fmt::format(" {}=\"{}\"", name, XmlEscape(value));
}

std::string Property(std::string_view name, std::string_view value) {
  return fmt::format("      <property{}{}/>\n", XmlAttribute("name", name), XmlAttribute("value", value));
}

std::string Suite(const GateContext& context, const std::string& cases, int tests, int failures, int errors,
                  const std::string& properties) {
  const std::string counts = fmt::format(" tests=\"{}\" failures=\"{}\" errors=\"{}\"", tests, failures, errors);
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites{}>\n  <testsuite name=\"tamis gate\"{}>\n"
      "    <properties>\n{}{}{}{}{}    </properties>\n{}  </testsuite>\n</testsuites>\n",
      counts, counts, Property("tamis", kVersion), Property("dense", context.dense),
      Property("candidate", context.candidate), Property("data", context.data), properties, cases);
}

}  // namespace

std::string_view Name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPassed:
      return "passed";
    case Verdict::kUnproven:
      return "unproven";
    case Verdict::kFailed:
      break;
  }
  return "failed";
}

std::string GateText(const GateContext& context, const GateResult& result) {
  std::string text;
  if (!result.top1_measured) text += fmt::format("top-1 not measured: {}\n", result.top1_reason);
  for (const GateCheck& check : result.checks) {
    text += fmt::format("{}: {}; {}\n", Title(check), check.text, LimitText(check, result.strict));
  }
  text += fmt::format("gate {}: {} against {} on {} samples (bootstrap of {} resamples, seed {})\n",
                      Name(result.verdict()), context.candidate, context.dense, result.samples,
                      context.bootstrap.resamples, context.bootstrap.seed);
  return text;
}

std::string GateJson(const GateContext& context, const GateResult& result) {
  JsonWriter json;
  json.BeginObject().Field("verdict", Name(result.verdict())).Field("passed", result.Passed());
  json.Field("strict", result.strict).Field("dense", context.dense).Field("candidate", context.candidate);
  json.Field("dense_hash", context.dense_hash).Field("candidate_hash", context.candidate_hash);
  json.Field("data", context.data).Field("data_hash", HexString(context.data_hash)).Field("samples", result.samples);
  json.Field("top1_measured", result.top1_measured);
  if (result.top1_measured) {
    json.Field("top1_dense", result.dense_top1).Field("top1_candidate", result.candidate_top1);
    json.Field("lost", result.lost).Field("won", result.won);
  } else {
    json.Field("top1_reason", result.top1_reason);
  }
  json.Key("checks").BeginArray();
  for (const GateCheck& check : result.checks) {
    json.BeginObject().Field("name", check.name).Field("output", check.output).Field("measured", check.measured);
    json.Key("interval").BeginArray().Number(check.interval.low).Number(check.interval.high).EndArray();
    json.Key("limit");
    if (check.limit) {
      json.Number(*check.limit).Field("verdict", Name(check.verdict));
    } else {
      json.Number(std::numeric_limits<double>::quiet_NaN()).Field("verdict", "not judged");
    }
    if (check.samples_needed > 0) json.Field("samples_needed", check.samples_needed);
    json.Field("text", check.text).EndObject();
  }
  json.EndArray();
  if (result.latency) {
    json.Key("latency").BeginObject().Field("batch", result.latency->batch).Field("rounds", result.latency->rounds);
    json.Field("dense_ms", result.latency->dense_ms).Field("candidate_ms", result.latency->candidate_ms).EndObject();
  }
  json.Key("bootstrap").BeginObject().Field("seed", context.bootstrap.seed);
  json.Field("resamples", context.bootstrap.resamples).Field("confidence", context.bootstrap.confidence).EndObject();
  json.Field("host", Cpu().Fingerprint()).Field("tamis", kVersion).Key("notices").BeginArray();
  for (const std::string& notice : result.notices) json.String(notice);
  return json.EndArray().EndObject().text();
}

std::string GateJunit(const GateContext& context, const GateResult& result) {
  std::string cases;
  int tests = 0, failures = 0;
  for (const GateCheck& check : result.checks) {
    if (!check.limit) continue;
    ++tests;
    const bool failed = check.verdict == Verdict::kFailed || (result.strict && check.verdict == Verdict::kUnproven);
    cases += fmt::format("    <testcase classname=\"tamis.gate\"{}>\n", XmlAttribute("name", Title(check)));
    const std::string finding = check.text + "; " + LimitText(check, result.strict);
    if (failed) {
      ++failures;
      cases += fmt::format("      <failure{}{}>{}</failure>\n", XmlAttribute("type", Name(check.verdict)),
                           XmlAttribute("message", finding), XmlEscape(finding));
    }
    cases += fmt::format("      <system-out>{}</system-out>\n    </testcase>\n", XmlEscape(finding));
  }
  std::string properties = Property("samples", std::to_string(result.samples));
  properties += Property("data_hash", HexString(context.data_hash));
  properties += Property("bootstrap_seed", std::to_string(context.bootstrap.seed));
  properties += Property("host", Cpu().Fingerprint());
  if (!result.top1_measured) properties += Property("top1", "not measured: " + result.top1_reason);
  for (const GateCheck& check : result.checks) {
    if (!check.limit) properties += Property(Title(check), check.text);
  }
  return Suite(context, cases, tests, failures, 0, properties);
}

std::string GateErrorJunit(const GateContext& context, const Status& error) {
  const std::string message = XmlEscape(error.message());
  return Suite(context,
               fmt::format("    <testcase classname=\"tamis.gate\" name=\"gate\">\n      <error type=\"error\"{}>{}"
                           "</error>\n    </testcase>\n",
                           XmlAttribute("message", error.message()), message),
               1, 0, 1, "");
}

}  // namespace tamis
