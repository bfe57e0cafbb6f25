#include <fmt/format.h>

#include <algorithm>

#include "src/base/hash.h"
#include "src/compiler/optimize/optimize_charts.h"
#include "src/compiler/optimize/optimize_coverage.h"

namespace tamis {
namespace {

constexpr const char* kStyle =
    ":root{color-scheme:light dark;--ink:#1d2530;--muted:#5c6875;--line:#dde3ea;--paper:#ffffff;--card:#f4f6f8;"
    "--int8:#b4632d;--sparse:#2f7d6b;--paired:#3f6fb5;--both:#7a4f9a;--good:#1f7a4d;--bad:#b3362f}"
    "@media(prefers-color-scheme:dark){:root{--ink:#dde6ee;--muted:#94a3b2;--line:#33404c;--paper:#12171d;--card:#"
    "1b232b;"
    "--int8:#e0955f;--sparse:#5dbfa6;--paired:#7ea8e6;--both:#b98ddb;--good:#58c08c;--bad:#ee7c74}}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem;color:var(--ink);"
    "background:var(--paper)}h1{margin:0;font-size:1.7rem}h2{margin:2.2rem 0 .3rem;font-size:1.2rem}"
    ".cards{display:flex;flex-wrap:wrap;gap:.8rem;margin:1rem 0}.card{background:var(--card);border-radius:8px;"
    "padding:.7rem 1rem;flex:1 1 180px}.card "
    "b{display:block;font-size:1.4rem;line-height:1.3}.muted{color:var(--muted)}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;width:100%}"
    "td,th{padding:.25rem .6rem;border-bottom:1px solid "
    "var(--line);text-align:right;vertical-align:top}td{white-space:nowrap}"
    "td.t,th.t{text-align:left}th[data-sort]{cursor:pointer;user-select:none}th[data-sort]:hover{color:var(--paired)}"
    "th[aria-sort=ascending]::after{content:' \\2191'}th[aria-sort=descending]::after{content:' \\2193'}"
    "tr.chosen td{font-weight:600}td.why{white-space:normal;font-size:12px;color:var(--muted);min-width:14rem}"
    "pre{background:var(--card);padding:.8rem 1rem;border-radius:8px;white-space:pre-wrap;overflow-wrap:anywhere}"
    "svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--ink)}svg .muted{fill:var(--muted)}"
    "svg .small{font-size:9px;fill:var(--muted)}svg .strong{font-weight:600}.grid{stroke:var(--line)}"
    ".budget{stroke:var(--bad);stroke-dasharray:5 4}.frontier{fill:none;stroke:var(--muted);stroke-dasharray:2 3}"
    ".holds{fill:var(--good)}.misses{fill:var(--bad)}.chosen{fill:none;stroke:var(--ink);stroke-width:2}"
    ".int8{fill:var(--int8)}.sparse{fill:var(--sparse)}.paired{fill:var(--paired)}.both{fill:var(--both)}"
    ".key i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin:0 .3em 0 1em;vertical-align:-.05em}"
    "svg.histogram{width:128px;height:22px;fill:var(--muted)}"
    ".yes{color:var(--good)}.no{color:var(--bad)}";

// Sorts a table by the column whose head is clicked: numbers as such, by data-v where a cell has one.
constexpr const char* kScript =
    "document.querySelectorAll('th[data-sort]').forEach(head=>head.addEventListener('click',()=>{"
    "const table=head.closest('table'),body=table.tBodies[0],column=head.cellIndex,"
    "up=head.getAttribute('aria-sort')!=='ascending';"
    "table.querySelectorAll('th').forEach(other=>other.removeAttribute('aria-sort'));"
    "head.setAttribute('aria-sort',up?'ascending':'descending');"
    "const value=row=>{const cell=row.cells[column],text=cell.dataset.v??cell.textContent,number=parseFloat(text);"
    "return isNaN(number)?text:number};"
    "[...body.rows].sort((a,b)=>{const x=value(a),y=value(b),"
    "order=typeof x==='number'&&typeof y==='number'?x-y:String(x).localeCompare(String(y));return up?order:-order})"
    ".forEach(row=>body.append(row))}))";

double Faster(const OptimizeResult& result) {
  if (result.ms > 0 && result.dense_ms > 0) return result.dense_ms / result.ms;
  return result.predicted_ms > 0 ? result.dense_predicted_ms / result.predicted_ms : 1;
}

std::string Ms(double seconds) {
  return seconds > 0 ? fmt::format("{:.4f}", seconds * 1e3) : "";
}

// What a layer costs alone: 1 - cosine, and under it the divergence.
std::string Cost(double error, double divergence) {
  if (error <= 0) return "";
  const std::string below =
      divergence > 0 ? fmt::format("<br><span class=\"muted\">{:.2g}</span>", divergence) : std::string();
  return fmt::format("{:.2g}{}", error, below);
}

std::string MeasuredMs(const OptimizeTrial& trial) {
  return trial.measured_seconds > 0 ? fmt::format("{:.3f}", trial.measured_seconds * 1e3) : "";
}

std::string DropText(const Quality& quality) {
  if (!quality.has_scores) return "";
  return quality.mixed ? fmt::format("{:.2f} / {:.2f}", quality.drop, quality.mixed_drop)
                       : fmt::format("{:.2f}", quality.drop);
}

std::string Card(const std::string& value, const std::string& label) {
  return fmt::format("<div class=\"card\"><b>{}</b><span class=\"muted\">{}</span></div>", value, label);
}

std::string Head(const Network& network, const OptimizeResult& result) {
  const OptimizeTrial& chosen = result.trials[static_cast<size_t>(result.chosen)];
  const double sparse = result.ShareOf([](const LayerSetting& s) { return s.IsSparse(); });
  const double int8 = result.ShareOf([](const LayerSetting& s) { return s.IsInt8(); });
  std::string html = fmt::format(
      "<h1>{}</h1><p>{:.2f} times as fast as the dense network. The budget, {}, <b class=\"{}\">{}</b> on "
      "{} samples that were used for nothing else.</p><div class=\"cards\">",
      EscapeHtml(network.file), Faster(result), result.budget.Text(), result.holds ? "yes" : "no",
      result.holds ? "holds" : "does not hold", result.confirm_samples);
  html += Card(fmt::format("{:.3f} ms", result.ms > 0 ? result.ms : result.predicted_ms),
               fmt::format("dense {:.3f} ms, whole runs in turns",
                           result.dense_ms > 0 ? result.dense_ms : result.dense_predicted_ms));
  html += Card(fmt::format("{:.4f}", result.confirm.agreement),
               fmt::format("mean cosine, &plusmn; {:.4f}", result.confirm.agreement_error));
  if (result.confirm.has_scores) {
    html +=
        Card(fmt::format("{:.2f} points", result.confirm.drop),
             fmt::format("of top-1 lost, &plusmn; {:.2f}; {}{}", result.confirm.drop_error,
                         result.confirm.mixed ? fmt::format("on mixtures {:.2f} &plusmn; {:.2f}; ",
                                                            result.confirm.mixed_drop, result.confirm.mixed_drop_error)
                                              : std::string(),
                         result.confirm.labelled ? CountedText(result.confirm) + " by the labels"
                                                 : "expected without labels, " + CountedText(result.confirm)));
  }
  html += Card(fmt::format("{:.0f} %", 100 * int8),
               fmt::format("of the weights int8, {:.0f} % in 2:4; the rest {}", 100 * sparse, chosen.precision));
  return html + "</div>";
}

std::string TrialTable(const OptimizeResult& result) {
  std::string html =
      "<div class=\"wide\"><table><thead><tr><th data-sort></th><th class=\"t\" data-sort>tried</th><th "
      "data-sort>predicted ms</th>"
      "<th data-sort>measured ms</th><th data-sort>mean cosine</th><th data-sort>divergence</th>"
      "<th data-sort>drop, points</th><th data-sort>counted</th><th data-sort>sum of the layers' errors</th><th "
      "class=\"t\" data-sort>holds</th></tr>"
      "</thead><tbody>";
  for (size_t i = 0; i < result.trials.size(); ++i) {
    const OptimizeTrial& trial = result.trials[i];
    const bool chosen = static_cast<int>(i) == result.chosen;
    html += fmt::format(
        "<tr{}><td>{}</td><td "
        "class=\"t\">{}{}</td><td>{:.3f}</td><td>{}</td><td>{:.4f}</td><td>{}</td><td>{}</td><td>{}</td><td>{:.5f}</td>"
        "<td class=\"t {}\">{}</td></tr>",
        chosen ? " class=\"chosen\"" : "", i + 1, EscapeHtml(trial.label), chosen ? ", chosen" : "",
        trial.seconds * 1e3, MeasuredMs(trial), trial.quality.agreement,
        trial.quality.has_scores ? fmt::format("{:.5f}", trial.quality.divergence) : "", DropText(trial.quality),
        trial.quality.has_scores ? fmt::format("{:.2f}", trial.quality.counted_drop) : "", trial.modelled_error,
        trial.holds ? "yes" : "no", trial.holds ? "yes" : "no");
  }
  return html + "</tbody></table></div>";
}

// The chosen network and, for each setting that does the same to all layers, the trial that counts: in order if there
// is one, else the draft.
std::string UniformTable(const OptimizeResult& result) {
  const OptimizeTrial& chosen = result.trials[static_cast<size_t>(result.chosen)];
  std::vector<const OptimizeTrial*> rows = {&chosen};
  for (size_t i = result.trials.size(); i-- > 0;) {
    const OptimizeTrial& trial = result.trials[i];
    const bool known = std::any_of(rows.begin(), rows.end(),
                                   [&](const OptimizeTrial* row) { return row->assignment == trial.assignment; });
    if (trial.uniform && !known) rows.push_back(&trial);
  }
  std::sort(rows.begin() + 1, rows.end(),
            [](const OptimizeTrial* a, const OptimizeTrial* b) { return a->relative < b->relative; });
  std::string html =
      "<div class=\"wide\"><table><thead><tr><th class=\"t\" data-sort>setting</th><th data-sort>measured ms</th>"
      "<th data-sort>predicted ms</th><th data-sort>mean cosine</th><th data-sort>drop, points</th>"
      "<th class=\"t\" data-sort>holds</th></tr></thead><tbody>";
  for (const OptimizeTrial* row : rows) {
    const bool draft = !row->in_order;
    html += fmt::format(
        "<tr{}><td class=\"t\">{}{}</td><td>{}</td><td>{:.3f}</td><td>{:.4f}</td><td>{}</td><td class=\"t "
        "{}\">{}</td></tr>",
        row == &chosen ? " class=\"chosen\"" : "", EscapeHtml(row->label),
        row == &chosen ? ", chosen"
        : draft        ? ", a draft"
                       : "",
        MeasuredMs(*row), row->seconds * 1e3, row->quality.agreement, DropText(row->quality), row->holds ? "yes" : "no",
        row->holds ? "yes" : "no");
  }
  return html + "</tbody></table></div>";
}

std::string LayerRows(const OptimizeResult& result) {
  std::string html =
      "<div class=\"wide\"><table><thead><tr><th class=\"t\" data-sort>layer</th><th data-sort>weights</th>"
      "<th class=\"t\" data-sort>type</th><th class=\"t\" data-sort>pattern</th><th data-sort>float ms</th>"
      "<th data-sort>2:4</th><th data-sort>paired</th><th data-sort>bf16 ms</th><th data-sort>2:4</th>"
      "<th data-sort>paired</th><th data-sort>int8 ms</th><th data-sort>2:4</th>"
      "<th data-sort>paired</th><th data-sort>bf16 costs</th><th data-sort>int8 costs</th><th data-sort>2:4 "
      "costs</th><th data-sort>paired "
      "costs</th>"
      "<th class=\"t\">why not more</th></tr></thead><tbody>";
  for (const OptimizedLayer& layer : result.layers) {
    const LayerRow& row = layer.row;
    html += fmt::format("<tr><td class=\"t\">{}</td><td>{}</td><td class=\"t\">{}</td><td class=\"t\">{}</td>",
                        EscapeHtml(layer.name), layer.elements,
                        layer.setting.type == LayerType::kFull ? result.full : Name(layer.setting.type),
                        Name(layer.setting.pattern));
    for (const LayerType type : kLayerTypes) {
      for (const double seconds : row.TimesAs(type).seconds) html += fmt::format("<td>{}</td>", Ms(seconds));
    }
    for (const LayerType type : {LayerType::kBFloat16, LayerType::kInt8}) {
      const auto i = static_cast<size_t>(type);
      html += fmt::format("<td>{}</td>", Cost(row.type_error[i], row.type_divergence[i]));
    }
    for (const LayerPattern pattern : {LayerPattern::kTwoFour, LayerPattern::kPaired}) {
      const auto i = static_cast<size_t>(pattern);
      html += fmt::format("<td>{}</td>", Cost(row.pattern_error[i], row.pattern_divergence[i]));
    }
    html += fmt::format("<td class=\"t why\">{}</td></tr>", EscapeHtml(layer.reason));
  }
  return html + "</tbody></table></div>";
}

std::string Reproduce(const Network& network, const OptimizeOptions& options, const OptimizeResult& result) {
  const Provenance& provenance = result.engine->provenance;
  std::string text = fmt::format(
      "{}\n\nnetwork     {} ({})\ndata        {}\nseed        {}\nsamples     {} to fit, {} to choose, {} confirmed\n"
      "machine     {}\ntamis       {}",
      options.command, network.file, network.hash, HexString(result.data_hash), options.seed, result.fit_samples,
      result.choose_samples, result.confirm_samples, provenance.host, provenance.tamis_version);
  text +=
      fmt::format("\nlayers      {} costs measured, {} known from {}", result.sensitivities_measured,
                  result.sensitivities_cached, result.sensitivity_cache.empty() ? "nowhere" : result.sensitivity_cache);
  return "<pre>" + EscapeHtml(text) + "</pre>";
}

}  // namespace

std::string OptimizeReportHtml(const Network& network, const OptimizeOptions& options, const OptimizeResult& result) {
  std::string html = fmt::format(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>tamis optimize: {}</title><style>{}</style></head><body>",
      EscapeHtml(network.file), kStyle);
  html += Head(network, result);
  html +=
      "<h2>Time against error</h2><p class=\"muted\">Every network that was tried. The numbers are the rows of the "
      "table below. Squares do the same to all layers "
      "that can have it and gain by it, circles mix. Errors are on the samples to choose by.</p>" +
      TradeChart(result);
  html +=
      "<h2>Prediction beside measurement</h2><p class=\"muted\">Predicted is the sum of kernels measured one by one. "
      "Measured are whole runs, the finalists in turns. Errors of layers alone are taken to add up, which the mean "
      "cosine beside them shows. Drops are on samples, and on mixtures of them.</p>" +
      TrialTable(result);
  html +=
      "<h2>Beside the uniform settings</h2><p class=\"muted\">The same for every layer that can have it, whether it "
      "gains "
      "or not; left out are those that were no faster than a more exact one. Whole runs are of those that hold or "
      "nearly do and are not far slower. A draft has each layer as pruned alone.</p>" +
      UniformTable(result);
  html +=
      "<h2>Where the error comes from</h2><p class=\"muted\">1 - mean cosine of the chosen network with its 2:4 "
      "patterns only (each layer as pruned alone), with its int8 only, and with both.</p>" +
      SplitChart(result);
  html +=
      "<h2>Sensitivity</h2><p class=\"muted key\">1 - mean cosine at the network's outputs with this layer alone "
      "changed, and the mean Kullback-Leibler divergence of class scores where there are any:<i class=\"int8\" "
      "style=\"background:var(--int8)\"></i>int8<i style=\"background:var(--sparse)\"></i>2:4"
      "<i style=\"background:var(--paired)\"></i>paired 2:4<i style=\"background:var(--both)\"></i>bf16</p>" +
      SensitivityChart(result);
  html +=
      "<h2>Layers</h2><p class=\"muted\">Times are the best kernel's for each, inside a network whose layers are "
      "all so where there was one, else by itself. Costs as above, 1 - "
      "cosine and under it the divergence; none where it was not worth a "
      "try.</p>" +
      LayerRows(result);
  html +=
      "<h2>Calibration</h2><p class=\"muted\">What inputs, and activations that have codes, were like over the samples "
      "that fitted the network, and by how much the second half of the samples widened each range. The engine keeps "
      "this, so that the gate and the server can compare what they meet.</p>" +
      CoverageHtml(result.calibration, result.engine->provenance.values);
  html += "<h2>How to reproduce</h2>" + Reproduce(network, options, result);
  return html + fmt::format("<script>{}</script></body></html>\n", kScript);
}

}  // namespace tamis
