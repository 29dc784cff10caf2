// storage/base/metrics.cpp: the text format of Prometheus, version 0.0.4.

#include "storage/base/metrics.hpp"

#include <algorithm>

namespace naru {
namespace {

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\n') {
      out.append("\\n");
    } else if (c == '\\' || (c == '"' && quotes)) {
      out.append("\\").push_back(c);
    } else {
      out.push_back(c);
    }
  }
}

}  // namespace

void expose_head(std::string& out, std::string_view name, MetricKind kind, std::string_view help) {
  out.append("# HELP ").append(name).append(" ");
  append_escaped(out, help, false);
  out.append("\n# TYPE ").append(name);
  out.append(kind == MetricKind::counter ? " counter\n" : " gauge\n");
}

void expose_sample(std::string& out, std::string_view name, const MetricLabels& labels,
                   std::uint64_t value) {
  out.append(name);
  char before = '{';
  for (const auto& [label, text] : labels) {
    out.push_back(std::exchange(before, ','));
    out.append(label).append("=\"");
    append_escaped(out, text, true);
    out.append("\"");
  }
  out.append(labels.empty() ? " " : "} ").append(std::to_string(value)).append("\n");
}

bool is_metric_name(std::string_view name, MetricKind kind) {
  const bool letters = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  return letters && name.starts_with("naru_") &&
         name.ends_with("_total") == (kind == MetricKind::counter);
}

}  // namespace naru
