// Names of values and domains in a model.
#pragma once

#include <onnx-ml.pb.h>

#include <string>
#include <unordered_map>
#include <unordered_set>

namespace tamis {

// The default domain has two spellings, "" and "ai.onnx"; this makes it "".
std::string CanonicalDomain(const std::string& domain);

// "ai.onnx" for the default domain: for people.
std::string DisplayDomain(const std::string& domain);

// Names in use.
class NameSet {
 public:
  // False if the name was there.
  bool Insert(const std::string& name) { return taken_.insert(name).second; }
  // `base`, or `base` with a number behind it, not in use until now. Constant time on average.
  std::string Unique(const std::string& base);

 private:
  std::unordered_set<std::string> taken_;
  std::unordered_map<std::string, int> next_;
};

// Every name of a value in the graph and the graphs nested in it.
void CollectNames(const onnx::GraphProto& graph, NameSet* names);

}  // namespace tamis
